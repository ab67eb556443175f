"""Attempts of a capture become verdicts as they settle: one diagnosis for each kind of like ones.

    engines    interpreted or compiled
    jit        the loops' functions, compiled
    flow       frames in, settled rows out
    kinds      rows and their kinds; the diagnosis of a kind
    patterns   a kind's JSON line with gaps, and what goes into them
    lines      many such lines

House rules of this package:
1. No verdict is made here: netprobe.verdict diagnoses the first row of each kind, with made-up endpoints in place of
   its own; for the others those are replaced by theirs.
2. A kind whose verdict holds something that can't be replaced is diagnosed row by row.
3. Memory follows the attempts that live at the same time, and the number of kinds; never the size of the file.
"""
