"""What a run has done is counted, and one that did nothing is told from one in which nothing went wrong."""

from typing import Any

from tests.chaos.tally import idle, tally

Facts = list[dict[str, Any]]


def run(**changed: Any) -> Facts:
    """A run of ten seconds that did enough; without what is None."""
    facts: Facts = [{"t": 0.0, "what": "stage"}]
    for number, transport in enumerate(("http1", "http2", "http3")):
        client = f"c1-continue-{number}.1"
        facts.append({"t": 0.1, "what": "begins", "client": client, "transport": transport})
        facts.append({"t": 0.2, "what": "in", "client": client, "returning": number > 0, "gap": number})
        facts += [{"t": 0.3, "what": "heard", "client": client} for _ in range(10)]
    facts += [{"t": 1.0, "what": "hit", "kind": "kill"} for _ in range(8)]
    facts += [{"t": 1.0, "what": "missed", "kind": "upgrade"}]
    for node, edge in (("n1", "e1"), ("n1", "e2"), ("n2", "e2")):
        facts.append({"t": 2.0, "what": "leg", "session": "s", "edge": edge, "role": "owner"})
        facts.append({"t": 2.0, "what": "owns", "session": "s", "by": node})
    facts += [{"t": 10.0, "what": "records", "records": 3}]
    return [changed.get(fact["what"], fact) for fact in facts if changed.get(fact["what"], fact) is not None]


def test_what_is_counted() -> None:
    done = tally(run())
    assert (done.moved, done.claimed, done.returns, done.gaps, done.records) == (1, 1, 2, 2, 3)
    assert done.hit == {"kill": 8} and done.missed == {"upgrade": 1} and done.heard.total() == 30
    assert "8 faults hit: kill 8; missed: upgrade 1" in str(done)
    assert list(idle(done)) == []


def test_a_run_that_did_nothing() -> None:
    def why(**changed: Any) -> str:
        return " ".join(what for _, _, what in idle(tally(run(**changed))))
    assert "nothing was heard" in why(heard=None) and "0 messages" in why(heard=None)
    assert "1 faults missed, 0 hit" in why(hit=None)
    assert "no session moved" in why(owns=None) and "no client came back" in why(**{"in": None})
