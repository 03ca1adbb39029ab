from vivant.distributed.roll import Roll


def test_what_killed_three_workers_is_not_begun_again() -> None:
    roll = Roll()
    assert [roll.begin(7) for _ in range(4)] == [True, True, True, False]
    assert roll.begin(8)
    assert roll.in_work() == [7, 8]


def test_deaths_before_a_good_end_do_not_count() -> None:
    roll = Roll()
    roll.begin(7)
    roll.begin(7)
    roll.end(7)
    assert roll.in_work() == []
    assert [roll.begin(7) for _ in range(3)] == [True, True, True]
