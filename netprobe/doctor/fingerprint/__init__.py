"""The counter fingerprint: marked SYNs, recognised by their rhythm in the kernel's counters, and what became of them.

    samples -> series -> rounds -> fate
    (counters) (signals)  (Heard)   (a word)

House rules of this package:
1. Pure: no clock, no file. `netprobe.doctor.collect.watching` takes the samples.
2. Every signal is quiet by construction: what ordinary traffic adds to one counter it adds to another, and the
   difference stands still.
3. What can't be told is `unsure` with its reason.
"""
