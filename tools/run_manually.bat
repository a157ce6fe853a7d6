@echo off
rem Sets up .venv in the repository and runs "aetl run" with the given arguments, in the current directory.
setlocal
call "%~dp0set_up.bat"
if errorlevel 1 goto :fail
"%PYTHON%" -m aetl run %*
exit /b %errorlevel%
:fail
exit /b %errorlevel%
