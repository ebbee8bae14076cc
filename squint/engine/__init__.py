"""The engine: a process of its own that does the jobs of a server's libraries, on workers of Dask.

``python -m squint.engine`` starts one. The libraries' databases are all that it shares with those who ask for
jobs.
"""
