"""Two results of netprobe compared: what changed of each target and port, down to traits.

    reading    results (JSON, JSON Lines) and captures, verdict by verdict
    traits     what of a verdict may be compared, and how traits add up over attempts
    compare    two sets of traits become changes

House rules of this package:
1. Only what both sides could see is compared: a trait that one of them doesn't know is no change.
2. Noise is no change: times count only by far, rare values only where they have a share.
3. Memory follows the targets and their traits, not the attempts.
"""
