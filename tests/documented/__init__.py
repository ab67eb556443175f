"""The commands of README.md and docs/*.md: found, sorted into classes, run, and their output held to what is shown.

blocks   what the documents hold: every command of a ```sh or ```console block, with the output that is shown
table    the class of every command: how it is run, or why it is only read
world    a folder with the files that the documents speak of, and programs that stand in for those of another machine
lab      two namespaces, in which `sudo netprobe scan server.example.com` works as it stands there
running  one document's commands, one after the other; comparing

House rules of this package:
1. A command that no row of the table takes is a failure: nothing is left out unsaid.
2. `python -m tests.documented` writes the outputs into the documents anew, to be read before they are committed.
"""
