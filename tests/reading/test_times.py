from lvc.reading.times import clock


def test_clock():
    assert clock(0) == "0:00.000" and clock(59.9996) == "1:00.000" and clock(3723.45) == "1:02:03.450"
