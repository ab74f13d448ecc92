"""Runners, the agent that supervises them, and what both share.

Everything in this package runs where tests run: Python 3.9, standard library alone.
"""
