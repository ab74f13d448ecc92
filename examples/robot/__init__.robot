*** Settings ***
Documentation     What holds for all suites of this folder.
Suite Setup       Set Suite Variable    ${GREETING}    hello    children=true
