"""Evidence in one file: what one hands to whoever runs the server or the firewall, with sums of all that is in it.

    contents   the files of a bundle, and what its manifest says
    settings   how its capture was analyzed
    writing    a bundle is made: verdicts, page, capture, log, manifest, sums
    redacting  the same from a capture that is redacted first; every text is then made of that one
    log        each record of a capture as a line
    archive    a zip file read without believing anything it says
    reading    a bundle is checked and unpacked

House rules of this package:
1. A bundle is a stranger's file: nothing of it is unpacked under a name that it chose, and nothing beyond a limit.
2. What a bundle says is derived from its capture: whoever analyzes it again gets the same verdicts.
"""
