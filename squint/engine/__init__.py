"""The engine: a process of its own that does the jobs of a library, on workers of Dask.

``python -m squint.engine`` starts one. The library's database is all that it shares with those who ask for
jobs.
"""
