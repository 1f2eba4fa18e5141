"""What is kept is bounded, and what is used stays."""

from transform.kept import Kept


def test_the_least_recently_used_goes_first():
    kept: Kept[str, int] = Kept(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]
    kept.put("a", 4)
    assert [kept.get(key) for key in "ac"] == [4, 3]
