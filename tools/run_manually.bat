@echo off
rem Runs "aetl run" with the given arguments, in the current directory and so away from the installed job's files: with
rem the aetl that install.bat put into C:\etl_job (AETL_HOME names another folder), else with one in .venv.
setlocal EnableExtensions DisableDelayedExpansion
if not defined AETL_HOME set "AETL_HOME=C:\etl_job"
if not exist "%AETL_HOME%\env\Scripts\aetl.exe" goto :set_up
"%AETL_HOME%\env\Scripts\aetl.exe" run %*
exit /b %errorlevel%
:set_up
call "%~dp0set_up.bat"
if errorlevel 1 goto :fail
"%PYTHON%" -m aetl run %*
exit /b %errorlevel%
:fail
exit /b %errorlevel%
