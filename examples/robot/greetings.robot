*** Settings ***
Documentation     Robot Framework: nrunner run robot --python INTERPRETER-WITH-ROBOT
Library           OperatingSystem
Test Tags         area:text

*** Test Cases ***
A Greeting Is Set Up For All Suites
    [Tags]    fast
    Should Be Equal    ${GREETING}    hello

A Greeting Is Kept In A File
    Create File    ${TEMPDIR}/nrunner-greeting    ${GREETING}
    ${text} =    Get File    ${TEMPDIR}/nrunner-greeting
    Should Be Equal    ${text}    ${GREETING}
    [Teardown]    Remove File    ${TEMPDIR}/nrunner-greeting

There Is Nobody To Greet
    Skip    nobody is here
