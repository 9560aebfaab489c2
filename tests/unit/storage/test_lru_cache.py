"""The cache forgets by weight and by age of use."""

from sequencer.storage.cache import LruCache


def test_the_least_recently_used_goes_first() -> None:
    cache: LruCache[str, int] = LruCache(3)
    for number, name in enumerate("abc"):
        cache.put(name, number)
    assert cache.get("a") == 0
    cache.put("d", 3)
    assert [cache.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_weights_count_and_a_value_that_is_too_heavy_is_not_kept() -> None:
    cache: LruCache[str, int] = LruCache(10)
    cache.put("a", 1, 6)
    cache.put("b", 2, 4)
    cache.put("c", 3, 11)
    assert [cache.get(name) for name in "abc"] == [1, 2, None]
    cache.put("b", 4, 9)
    assert [cache.get(name) for name in "ab"] == [None, 4]
    cache.drop("b")
    cache.drop("b")
    cache.put("a", 5, 10)
    assert (cache.get("a"), len(cache)) == (5, 1)
