from nrunner.status.keys import Keys


def test_the_token_it_was_made_with_opens_and_no_other():
    keys = Keys("good")
    assert keys.fits("good")
    assert not keys.fits("")
    assert not keys.fits("goo")


def test_a_link_opens_nothing_but_is_exchanged_once_for_a_token_that_does():
    keys = Keys("good")
    link = keys.link()
    assert not keys.fits(link)
    token = keys.redeem(link)
    assert token not in (None, link, "good")
    assert keys.fits(token)
    assert keys.redeem(link) is None


def test_what_is_no_link_is_exchanged_for_nothing():
    keys = Keys("good")
    keys.link()
    for shown in ("", "good", "x"):
        assert keys.redeem(shown) is None


def test_links_are_good_independently_of_each_other():
    keys = Keys("good")
    first, second = keys.link(), keys.link()
    assert keys.redeem(second)
    assert keys.redeem(first)


def test_of_too_many_links_the_oldest_is_good_no_more():
    keys = Keys("good")
    links = [keys.link() for _ in range(65)]
    assert keys.redeem(links[0]) is None
    assert keys.redeem(links[1])


def test_the_token_for_programs_outlives_all_sessions():
    keys = Keys("good")
    first = keys.redeem(keys.link())
    for _ in range(1100):
        latest = keys.redeem(keys.link())
    assert keys.fits("good")
    assert keys.fits(latest)
    assert not keys.fits(first)
