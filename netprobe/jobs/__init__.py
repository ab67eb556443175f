"""Analysis by several processes: of this machine (`--jobs`), or of a Dask cluster (`--dask`).

    task      what one process gets to do, and what it gives back
    work      doing it: one file after the other, what comes of each into a spool
    pool      tasks to the processes of this machine; one that dies is replaced
    cluster   tasks to a Dask cluster
    run       files into tasks, results into the order of the files

House rules of this package:
1. Whatever runs where, the result is that of one process, and in the same order: each file is analyzed for itself, and
   what comes of it is handed out when all before it have been.
2. A task can be done twice: nothing that it leaves behind is changed by that.
"""
