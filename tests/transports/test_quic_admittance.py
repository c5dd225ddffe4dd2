"""Who may open a QUIC connection: counted, without I/O."""

from sbc.transports.quic.admittance import Admittance, Bounds, Verdict, source_of


def test_a_source() -> None:
    assert source_of(("192.0.2.1", 4433)) == "192.0.2.1"
    assert source_of(("2001:db8::1:2:3:4", 1, 0, 0)) == source_of(("2001:db8::9", 2, 0, 0)) == "2001:db8::"
    assert source_of(("fe80::1%lo", 1, 0, 1)) == "fe80::"


def test_who_is_let_in() -> None:
    admittance = Admittance(Bounds(unproven=3, unproven_of_source=2, half_open=5, half_open_of_source=4, of_source=6,
                                   connections=8))
    judge = admittance.judge
    assert judge("a", proven=False) is Verdict.TAKE
    admittance.begun("a")
    admittance.begun("a")
    assert judge("a", proven=False) is Verdict.RETRY and judge("b", proven=False) is Verdict.TAKE
    admittance.begun("b")
    assert judge("c", proven=False) is Verdict.RETRY and judge("c", proven=True) is Verdict.TAKE
    admittance.begun("a")
    admittance.begun("a")
    assert judge("a", proven=True) is Verdict.FULL and judge("c", proven=True) is Verdict.FULL
    admittance.shaken("a")
    assert judge("a", proven=True) is Verdict.TAKE
    for _ in range(2):
        admittance.begun("a")
        admittance.shaken("a")
    assert judge("a", proven=True) is Verdict.FULL, "all of one source"
    admittance.gone("a", shaken=True)
    assert judge("a", proven=True) is Verdict.TAKE
    for _ in range(3):
        admittance.shaken("a")
        admittance.gone("a", shaken=True)
    admittance.gone("a", shaken=True)
    admittance.gone("a", shaken=True)
    admittance.gone("b", shaken=False)
    assert admittance.total == 0 and not admittance._sources
    assert judge("a", proven=False) is Verdict.TAKE
