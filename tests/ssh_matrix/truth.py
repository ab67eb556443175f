"""What really happened, from the client's own list of messages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tests.ssh_matrix.plans import Plan


@dataclass(frozen=True)
class Truth:
    """Of one login. `methods`: what the first failure listed."""

    outcome: str
    attempts: int
    key_accepted: bool
    partial: bool
    methods: tuple[str, ...] = ()


def truth_of(plan: Plan, messages: list[str] | None) -> Truth:
    """From the messages; from the plan where the client doesn't tell them. A server may count tries otherwise than the
    plan; whether it lets one in is what the plan says, else ValueError is raised."""
    if messages is None:
        found = plan.outcome
        accepted = any(one.startswith("good") for one in plan.keys)
        return Truth(found, len(plan.keys) + len(plan.passwords), accepted, False)
    attempts = attempts_of(messages, plan.outcome)
    partial = any(one.startswith("S51:partial") for one in messages)
    if "S52" in messages:
        outcome = "succeeded"
    elif partial:
        outcome = "second-factor"
    elif attempts == 0:
        outcome = plan.outcome if plan.outcome in {"left", "timed-out"} else "no-method"
    else:
        said_goodbye = "S1" in messages or not messages[-1].startswith("S51")
        outcome = "too-many" if plan.outcome == "too-many" and said_goodbye else "failed"
    if "succeeded" in {outcome, plan.outcome} and outcome != plan.outcome:
        raise ValueError(f"{plan.outcome} was wanted, {outcome} came: {' '.join(messages)}")
    lists = [one.rpartition(":")[2] for one in messages if one.startswith("S51")]
    return Truth(
        outcome, attempts, _accepted(messages), partial, tuple(lists[0].split(",")) if lists and lists[0] else ()
    )


def attempts_of(messages: list[str], outcome: str) -> int:
    """Requests other than `none` that were refused, taken, or answered by closing. A key asked for and then signed with
    is one; a question that the client left unanswered is none."""
    closes = outcome == "too-many" or messages[-1] == "S53"
    count, open_, none = 0, False, False
    for one in messages:
        if one.startswith("C50"):
            none = one.endswith(":none")
        if one.startswith(("C50", "C61")):
            open_ = not none
        elif one == "S60":
            open_ = False
        elif one.startswith(("S51", "S52", "S1:")) or one == "S1":
            count += open_
            open_ = False
    return count + (open_ and closes)


def _accepted(messages: list[str]) -> bool:
    """A key was found acceptable: PK_OK, which is message 60 after a request with a key."""
    said = [one for one in messages if one not in {"C2", "S2"}]
    return any(a == "C50:publickey" and b == "S60" for a, b in pairwise(said))
