"""The four pages. Each file is run by Streamlit as a script and draws itself with `render`.

The folder must not be called `pages`: beside an entry point of that kind Streamlit serves the files on their own, and
the first deep link after a start would skip `app.py` with its language, style and error handling.
"""
