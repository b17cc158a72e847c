"""How strong a preference is: whole numbers from -3 (the first answer is much better) to 3 (the second one is)."""

from collections.abc import Sequence

from operant.data.codes import Flaw, shorten

STRONGEST = 3
MOST_SPREAD = 2  # between the three most similar votes; beyond it annotators do not agree
VOTES = 3


def read_strength(value: object, column: str) -> int | None:
    """A strength, or that of a list of annotators' votes; None where they do not agree, or nobody voted."""
    if value is None or value == "":
        return None
    if isinstance(value, list):
        return agreed_strength([_whole(vote, column) for vote in value], column)
    return _whole(value, column)


def agreed_strength(votes: Sequence[int], column: str = "votes") -> int | None:
    """What annotators agree on: the mean of their three most similar votes, rounded; None where these differ by over 2.

    Of several equally similar threes the one nearest to the mean of all votes counts. Source: Wang et al. 2024
    (HelpSteer2-Preference), arXiv:2410.01257, which asks three to five annotators.
    """
    if len(votes) < VOTES:
        raise Flaw("unknown_verdict", f"{len(votes)} votes; expected at least {VOTES}", column)
    ordered, middle = sorted(votes), sum(votes) / len(votes)
    threes = [ordered[start : start + VOTES] for start in range(len(votes) - VOTES + 1)]
    best = min(threes, key=lambda three: (three[-1] - three[0], abs(sum(three) / VOTES - middle)))
    return None if best[-1] - best[0] > MOST_SPREAD else round(sum(best) / VOTES)


def _whole(value: object, column: str) -> int:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or number != round(number) or abs(number) > STRONGEST:
        wanted = f"a whole number from -{STRONGEST} (the first answer is much better) to {STRONGEST}"
        raise Flaw("unknown_verdict", f"the strength is {shorten(value)}; expected {wanted}", column)
    return int(number)
