@echo off
rem Called by the scripts beside it: call set_up.bat [EXTRA ...]. Sets ROOT and PYTHON, the Python of .venv.
set "PYTHONHOME="
set "PYTHONPATH="
set "VIRTUAL_ENV="
for %%I in ("%~dp0..") do set "ROOT=%%~fI"
set "PYTHON=%ROOT%\.venv\Scripts\python.exe"
set "FOUND=py -3"
%FOUND% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if not errorlevel 1 goto :found
set "FOUND=python"
%FOUND% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if not errorlevel 1 goto :found
echo aetl needs Python 3.11 or newer, and neither "py -3" nor "python" is one. See https://www.python.org/downloads/ 1>&2
exit /b 1
:found
%FOUND% "%ROOT%\tools\set_up.py" %*
exit /b %errorlevel%
