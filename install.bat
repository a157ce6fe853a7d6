@echo off
rem install.bat [run|load] [/quiet], as Administrator: installs aetl into C:\etl_job (AETL_HOME names another folder),
rem has Task Scheduler start it, and runs it once. "run": the simulated job, every 5 minutes; "load": the nightly load,
rem at 02:00. Without a word: "run", unless the container holds real exports; then it asks. /quiet never asks and never
rem waits for a key. Running it again repairs or upgrades.
rem
rem Paths go through no "call" and through no option of Python: "call" would take a percent sign or a caret in them as
rem its own. So the folders are entered instead.
setlocal EnableExtensions DisableDelayedExpansion
set "NoDefaultCurrentDirectoryInExePath=1"
set "PYTHONHOME="
set "PYTHONPATH="
set "SOURCE=%~dp0"
set "JOB="
set "WAIT=1"
set "RC=1"
set "SCHEDULED="

:argument
if "%~1"=="" goto :start
if /i "%~1"=="/quiet" goto :quiet
if /i "%~1"=="run" goto :job
if /i "%~1"=="load" goto :job
echo install.bat: "%~1" is none of run, load and /quiet. 1>&2
set "RC=2"
goto :stop
:quiet
set "WAIT="
shift
goto :argument
:job
set "JOB=%~1"
shift
goto :argument

:start
if not defined AETL_HOME set "AETL_HOME=C:\etl_job"
for %%I in ("%AETL_HOME%\.") do set "AETL_HOME=%%~fI"
set "SCHTASKS=%SystemRoot%\System32\schtasks.exe"

rem "net session" needs the service Server, "fltmc" does not; both need an Administrator.
"%SystemRoot%\System32\net.exe" session >nul 2>nul
if "%errorlevel%"=="0" goto :elevated
"%SystemRoot%\System32\fltmc.exe" >nul 2>nul
if "%errorlevel%"=="0" goto :elevated
echo install.bat: this is not elevated. Right-click install.bat and choose "Run as administrator". 1>&2
goto :stop

:elevated
rem "call", as py or python may be a batch file itself.
set "IS_NEW=import sys; sys.exit(sys.version_info < (3, 11))"
set "FOUND="
set "PYTHON=py -3"
call :try_python
if defined READY goto :python
set "PYTHON=python"
call :try_python
if defined READY goto :python
if defined FOUND goto :too_old
echo install.bat: there is no Python here. Install Python 3.11 or newer from https://www.python.org/downloads/ 1>&2
echo for all users, with "Add python.exe to PATH", and run install.bat again. 1>&2
goto :stop
:too_old
echo install.bat: the Python here is too old; aetl needs Python 3.11 or newer: 1>&2
call %FOUND% --version 1>&2
echo Install a newer one from https://www.python.org/downloads/ and run install.bat again. 1>&2
goto :stop

:python
echo Installing aetl into "%AETL_HOME%" ...
rem What lies in it runs as SYSTEM: the folder and the Python must be nobody else's to change. -B leaves no .pyc here.
pushd "%SOURCE%"
if not "%errorlevel%"=="0" goto :no_source
call %PYTHON% -I -B tools\protect_job.py
if not "%errorlevel%"=="0" goto :not_protected
popd
pushd "%AETL_HOME%"
if not "%errorlevel%"=="0" goto :no_folder

rem What ran until now must not start in the midst of this, and must not be left over where this fails.
"%SCHTASKS%" /End /TN aetl >nul 2>nul
"%SCHTASKS%" /Delete /TN aetl /F >nul 2>nul

call %PYTHON% -I -m venv --clear env
if not "%errorlevel%"=="0" goto :no_venv
env\Scripts\python.exe -I -m pip install --quiet --disable-pip-version-check --no-input "%SOURCE%."
if not "%errorlevel%"=="0" goto :no_pip

if defined JOB goto :chosen
rem It refuses to choose where the container holds real exports, or cannot be looked into, and says so.
env\Scripts\aetl.exe schedule create --every 5m --dry-run >nul
if not "%errorlevel%"=="0" goto :ask
set "JOB=run"
goto :chosen
:ask
if not defined WAIT goto :no_job
set /p "JOB=Which job shall be installed, the nightly load or the simulated one? Type load or run: "
if /i "%JOB%"=="load" goto :chosen
if /i "%JOB%"=="run" goto :chosen
goto :no_job

:chosen
if /i not "%JOB%"=="load" goto :schedule
rem A simulation's database, which holds nothing but mock data, takes no real exports.
env\Scripts\python.exe -I "%SOURCE%tools\clear_job.py" --simulation
if not "%errorlevel%"=="0" goto :no_clearing
:schedule
set "EVERY=--every 5m"
if /i "%JOB%"=="load" set "EVERY=--daily 02:00"
env\Scripts\aetl.exe schedule create --command %JOB% %EVERY%
if not "%errorlevel%"=="0" goto :no_schedule
set "SCHEDULED=1"

echo Running the job once ...
env\Scripts\aetl.exe %JOB%
rem 3: loaded, with rejects; 75: the task itself is running already.
set "RC=%errorlevel%"
if "%RC%"=="3" set "RC=0"
if "%RC%"=="75" set "RC=0"
if not "%RC%"=="0" goto :no_run
popd
echo.
echo aetl is installed in "%AETL_HOME%". To see the task: "%AETL_HOME%\env\Scripts\aetl.exe" schedule status
goto :stop

:no_folder
echo install.bat: the folder "%AETL_HOME%" cannot be made or entered. 1>&2
goto :stop
:no_source
echo install.bat: the folder "%SOURCE%" cannot be entered. 1>&2
goto :stop
:not_protected
popd
goto :stop
:no_venv
echo install.bat: the environment "%AETL_HOME%\env" cannot be made; Python says above why. Is a program in it open? 1>&2
goto :failed
:no_pip
echo install.bat: aetl could not be installed; pip says above why. Is a Python package index within reach? 1>&2
goto :failed
:no_job
echo install.bat: say which job: "install.bat load" for the nightly load, "install.bat run" for the simulated one. 1>&2
set "RC=2"
goto :failed
:no_clearing
echo install.bat: the simulation's database could not be removed; it says above why. 1>&2
goto :failed
:no_schedule
echo install.bat: the job could not be scheduled; aetl says above why. 1>&2
goto :failed
:no_run
echo install.bat: the first run failed with exit code %RC%; aetl says above why, and "%AETL_HOME%\global.log" in detail. 1>&2

:failed
if not defined SCHEDULED goto :nothing_scheduled
"%SCHTASKS%" /Delete /TN aetl /F >nul 2>nul
:nothing_scheduled
echo Nothing is scheduled. When that is mended, run install.bat again. 1>&2

:stop
if defined WAIT pause
endlocal & exit /b %RC%

:try_python
set "READY="
call %PYTHON% -c "import sys" >nul 2>nul
if not "%errorlevel%"=="0" exit /b 0
set "FOUND=%PYTHON%"
call %PYTHON% -c "%IS_NEW%" >nul 2>nul
if not "%errorlevel%"=="0" exit /b 0
set "READY=1"
exit /b 0
