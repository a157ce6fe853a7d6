@echo off
rem Called by the scripts beside it: call set_up.bat [EXTRA ...]. Sets ROOT and PYTHON, the Python of .venv.
set "PYTHONHOME="
set "PYTHONPATH="
set "VIRTUAL_ENV="
for %%I in ("%~dp0..") do set "ROOT=%%~fI"
set "PYTHON=%ROOT%\.venv\Scripts\python.exe"
rem "call", as py or python may be a batch file itself; no path goes through it, as it would take a percent sign in one
rem as its own.
set "FOUND=py -3"
call %FOUND% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if not errorlevel 1 goto :found
set "FOUND=python"
call %FOUND% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if not errorlevel 1 goto :found
echo aetl needs Python 3.11 or newer, and neither "py -3" nor "python" is one. See https://www.python.org/downloads/ 1>&2
exit /b 1
:found
pushd "%ROOT%"
call %FOUND% tools\set_up.py %*
set "RC=%errorlevel%"
popd
exit /b %RC%
