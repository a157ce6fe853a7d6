@echo off
rem Sets up .venv in the repository, checks style, types and imports, then runs the tests; arguments go to pytest.
setlocal
call "%~dp0set_up.bat" test
if errorlevel 1 goto :fail
cd /d "%ROOT%"
"%PYTHON%" -m ruff check
if errorlevel 1 goto :fail
"%PYTHON%" -m ruff format --check
if errorlevel 1 goto :fail
"%PYTHON%" -m mypy
if errorlevel 1 goto :fail
"%ROOT%\.venv\Scripts\lint-imports.exe" --no-logo
if errorlevel 1 goto :fail
"%PYTHON%" -m pytest --numprocesses=auto %*
exit /b %errorlevel%
:fail
exit /b %errorlevel%
