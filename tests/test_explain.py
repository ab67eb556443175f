"""The pages: by rule id, by cause, the whole document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netprobe import explain
from netprobe.clients import ABOUT, printed_for
from netprobe.errors import UsageError
from netprobe.examples import FILE, examples, line, read
from netprobe.examples import made as made_of
from netprobe.rules import RULES, Rule

CAPTURES = Path(__file__).parent.parent / "captures"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_page_of_a_rule(rule: Rule) -> None:
    page = explain.explain(rule.id)
    assert page.startswith(f"## {rule.id}: {rule.cause}\n")
    assert f"**{rule.certainty}**" in page
    assert "{" not in page.replace("{print", "")
    for rival in rule.rivals:
        assert f"**{rival.cause}**" in page


def test_page_by_id_takes_any_case() -> None:
    assert explain.explain(" np110 ") == explain.explain("NP110")


@pytest.mark.parametrize("cause", sorted({rule.cause for rule in RULES} | set(ABOUT)))
def test_page_of_a_cause_has_all_its_rules_and_what_they_say(cause: str) -> None:
    page = explain.explain(cause.upper())
    assert page.startswith(f"## {cause}\n\n")
    assert ABOUT.get(cause, " ")[1:] in page
    assert all(f"- `{text}`\n" in page for text in printed_for(cause))
    assert "{" not in page.replace("{print", "")
    rules = [rule for rule in RULES if rule.cause == cause]
    for rule in rules:
        assert f"- **{rule.id}** ({rule.certainty}): {explain.plain(rule.because[0])}\n" in page
        assert all(f"- {explain.plain(text)}\n" in page for text in rule.remedy)
        assert all(f"- **{rival.cause}**: " in page for rival in rule.rivals)
        assert all(one in page for one in re.split("[;,] ", rule.reference))
    if any(rule.id in examples() for rule in rules):
        assert page.count("\nRecorded (`") == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("no-listner", "no-listener"),
        ("NP11", "NP110"),
        ("reset-on", "reset-on-path"),
        ("droped", "dropped"),
        ("Conection refussed", '"Connection refused"'),
        ("ND30", "ND301"),
        ("daemon-instaled", "daemon-installed"),
    ],
)
def test_did_you_mean(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match="did you mean ") as caught:
        explain.explain(typed, others=("ND301", "daemon-installed"))
    assert meant in str(caught.value)


def test_a_long_text_that_is_not_known_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        explain.explain("all sorts of things\n" * 100)
    assert "no text of a client" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_listing_names_everything() -> None:
    listing = explain.listing()
    assert all(rule.id in listing and rule.cause in listing for rule in RULES)
    assert all(about in listing for about in ABOUT.values())


def test_folding_leaves_ladders_alone() -> None:
    page = explain.explain("NP112")
    ladder = [line for line in page.splitlines() if line.startswith("    ")]
    assert ladder
    folded = explain.folded(page, 60).splitlines()
    assert [line for line in folded if line.startswith("    ")] == ladder
    assert max(len(line) for line in folded if not line.startswith("    ")) <= 60
    assert "".join(folded).replace(" ", "") == page.replace("\n", "").replace(" ", "")
    assert explain.folded(page, None) == page


def test_folding_keeps_columns() -> None:
    table = "  no-listener  nothing listens on this port, or on another\n"
    table += "- a list of words that are many\nplain words here\n"
    assert explain.folded(table, 30).splitlines() == [
        "  no-listener  nothing listens",
        "               on this port,",
        "               or on another",
        "- a list of words that are",
        "  many",
        "plain words here",
    ]


# --------------------------------------------------------------------------- the recorded examples


def test_examples_are_those_of_the_captures() -> None:
    """Fails after a change of rules, captures or ladders: `make docs` makes them anew."""
    shipped = (Path(explain.__file__).parent / FILE).read_text("utf-8").splitlines()
    made = [line(one) for one in made_of(CAPTURES)]
    stale = [one[:60] for one in made if one not in shipped] + [one[:60] for one in shipped if one not in made]
    assert not stale
    assert shipped == made


def test_every_rule_that_a_packet_can_show_has_an_example() -> None:
    """What only a resolver, a route or an errno tells has no packets."""
    told = {"name-not-found", "resolver-failure", "no-local-route", "local-limit"}
    missing = {rule.id: rule.cause for rule in RULES if rule.id not in examples() and rule.cause not in told}
    assert set(missing.values()) <= {"local-firewall"}, missing


@pytest.mark.parametrize("rule", sorted(examples()))
def test_an_example_is_written_as_it_is_read(rule: str) -> None:
    one = examples()[rule]
    assert read(line(one)) == one
    assert (one.ladder is None) != (one.lines == ())
    assert (CAPTURES / f"{one.capture}.toml").exists()


def test_the_examples_stay_small() -> None:
    assert (Path(explain.__file__).parent / FILE).stat().st_size < 400_000


@pytest.mark.parametrize("word", ["", "NP000", "no-such-cause", "22"])
def test_what_is_neither_is_a_usage_error(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain.explain(word)
    assert word in str(caught.value)


def test_document_has_a_section_and_a_line_for_each_rule() -> None:
    document = explain.document()
    for rule in RULES:
        assert document.count(f"\n## {rule.id}: ") == 1
        assert f"| [{rule.id}]" in document


def test_plain_shows_placeholders_as_such() -> None:
    assert explain.plain("from {icmp_sender}: `awk '{print $1}'`") == "from ICMP SENDER: `awk '{print $1}'`"
