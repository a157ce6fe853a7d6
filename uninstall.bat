@echo off
rem uninstall.bat [/purge] [/quiet], as Administrator: removes the task and C:\etl_job (AETL_HOME names another folder).
rem A database in there that is not the simulation's is kept, unless /purge is given. /quiet never waits for a key.
setlocal EnableExtensions DisableDelayedExpansion
set "NoDefaultCurrentDirectoryInExePath=1"
set "PYTHONHOME="
set "PYTHONPATH="
set "SOURCE=%~dp0"
set "TOOL=%~dp0tools\clear_job.py"
set "PURGE="
set "GONE="
set "READY="
set "WAIT=1"
set "RC=1"

:argument
if "%~1"=="" goto :start
if /i "%~1"=="/quiet" goto :quiet
if /i "%~1"=="/purge" goto :purge
echo uninstall.bat: "%~1" is none of /purge and /quiet. 1>&2
set "RC=2"
goto :stop
:quiet
set "WAIT="
shift
goto :argument
:purge
set "PURGE=--purge"
shift
goto :argument

:start
if not defined AETL_HOME set "AETL_HOME=C:\etl_job"
for %%I in ("%AETL_HOME%\.") do set "AETL_HOME=%%~fI"
set "SCHTASKS=%SystemRoot%\System32\schtasks.exe"

if "%AETL_HOME:~3%"=="" goto :whole_drive
"%SystemRoot%\System32\net.exe" session >nul 2>nul
if "%errorlevel%"=="0" goto :elevated
"%SystemRoot%\System32\fltmc.exe" >nul 2>nul
if "%errorlevel%"=="0" goto :elevated
echo uninstall.bat: this is not elevated. Right-click uninstall.bat and choose "Run as administrator". 1>&2
goto :stop

:elevated
rem Ends a run, too: what it had not finished is rolled back.
"%SCHTASKS%" /End /TN aetl >nul 2>nul
"%SCHTASKS%" /Delete /TN aetl /F >nul 2>nul
if not "%errorlevel%"=="0" goto :look
set "GONE=1"
echo The task aetl is removed.

:look
rem What somebody else put there must not be run. Without a Python outside of it, its own does not run either.
if not exist "%AETL_HOME%\" goto :folder
set "PYTHON=py -3"
call :try_python
if defined READY goto :python
set "PYTHON=python"
call :try_python
if not defined READY goto :folder
:python
pushd "%SOURCE%"
if not "%errorlevel%"=="0" goto :no_source
call %PYTHON% -I -B tools\protect_job.py --look
if not "%errorlevel%"=="0" goto :not_ours
popd
if defined GONE goto :folder
if not exist "%AETL_HOME%\env\Scripts\aetl.exe" goto :folder
rem There was none, or it cannot be removed: aetl can tell.
"%AETL_HOME%\env\Scripts\aetl.exe" schedule remove
if not "%errorlevel%"=="0" goto :task_stays

:folder
if not exist "%AETL_HOME%\" goto :no_folder
pushd "%AETL_HOME%"
if not "%errorlevel%"=="0" goto :folder_stays
if not defined READY goto :whose
if exist env\Scripts\python.exe goto :clear
:whose
if exist env\ goto :remove_env
if exist global.log goto :remove_env
if exist local.db goto :remove_env
echo uninstall.bat: "%AETL_HOME%" holds nothing of aetl's, so it stays. Does AETL_HOME name the right folder? 1>&2
goto :failed

:clear
env\Scripts\python.exe -I "%TOOL%" %PURGE%
if not "%errorlevel%"=="0" goto :folder_stays
:remove_env
if exist env\ rmdir /s /q env
if exist env\ goto :folder_stays
if exist global.log del /f /q global.log
if exist global.log.* del /f /q global.log.*
if exist container\ rmdir /s /q container
if not defined PURGE goto :rest
for %%F in (local.db local.db-wal local.db-shm local.db-journal local.db.lock) do if exist %%F del /f /q %%F
:rest
popd
rem Fails where something is kept.
rmdir "%AETL_HOME%" >nul 2>nul
if exist "%AETL_HOME%\" goto :kept
echo "%AETL_HOME%" is removed.
set "RC=0"
goto :stop
:kept
echo "%AETL_HOME%" stays, with what is kept in it; uninstall.bat /purge removes a database, too.
set "RC=0"
goto :stop

:no_folder
echo There is no "%AETL_HOME%".
set "RC=0"
goto :stop
:no_source
echo uninstall.bat: the folder "%SOURCE%" cannot be entered. 1>&2
goto :stop
:not_ours
popd
goto :stop
:whole_drive
echo uninstall.bat: AETL_HOME names a whole drive. 1>&2
goto :stop
:task_stays
echo uninstall.bat: the task aetl could not be removed; nothing else was touched. 1>&2
goto :stop
:folder_stays
echo uninstall.bat: "%AETL_HOME%" could not be removed. Is a program in it open? Close it and run uninstall.bat again. 1>&2
:failed
set "RC=1"

:stop
if defined WAIT pause
endlocal & exit /b %RC%

:try_python
call %PYTHON% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul
if not "%errorlevel%"=="0" exit /b 0
set "READY=1"
exit /b 0
