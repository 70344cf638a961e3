"""The arithmetic of an outage, on made-up samples."""

import unittest

from outage import Sample, outage


def every(step, first, last, good=True, takes=0.01):
    """Writes that are sent at a steady rate, and all end alike."""
    count = round((last - first) / step)
    return [Sample(first + n * step, first + n * step + takes, good) for n in range(count)]


class AnOutage(unittest.TestCase):
    def assert_is(self, measured, seconds, gap, failures):
        self.assertIsNotNone(measured)
        self.assertAlmostEqual(measured.seconds, seconds)
        self.assertAlmostEqual(measured.gap, gap)
        self.assertEqual(measured.failures, failures)

    def test_lasts_from_the_strike_to_the_first_success_of_the_calm(self):
        samples = every(0.05, 0, 10) + every(0.05, 10, 32, good=False) + every(0.05, 32, 40)
        self.assert_is(outage(samples, 10.0, 40), 22.01, 0.05, 440)

    def test_is_not_over_while_failures_come_between(self):
        samples = every(0.05, 0, 10) + every(0.05, 10, 12, good=False) + every(0.05, 12, 16)
        relapse = samples + [Sample(15.5, 16.5, False)] + every(0.05, 17, 24)
        self.assert_is(outage(relapse, 10.0, 24), 7.01, 0.54, 41)

    def test_is_not_over_before_the_calm_is(self):
        samples = every(0.05, 10, 12, good=False) + every(0.05, 12, 20)
        self.assertIsNone(outage(samples, 10.0, 17.0))
        self.assert_is(outage(samples, 10.0, 17.02), 2.01, 0.05, 40)

    def test_is_not_over_after_few_successes(self):
        samples = every(0.05, 10, 12, good=False) + every(1, 12, 21)
        self.assertIsNone(outage(samples, 10.0, 21.0))
        self.assert_is(outage([*samples, Sample(21, 21.01, True)], 10.0, 21.5), 2.01, 0.05, 40)

    def test_does_not_end_before_it_has_begun(self):
        # For six seconds all goes on; what hung from the strike on fails only then.
        samples = every(0.05, 10, 16) + [Sample(10.0, 16.5, False)] + every(0.05, 17, 24)
        self.assert_is(outage(samples, 10.0, 24), 7.01, 0.54, 1)

    def test_does_not_end_with_what_was_sent_before_the_strike(self):
        hung = [Sample(10.1, 10.2, False), Sample(9.9, 11.0, True)]
        self.assert_is(outage(hung + every(0.05, 12, 18), 10.0, 18), 2.01, 1.01, 1)

    def test_ends_for_good_although_another_one_follows(self):
        samples = every(0.05, 10, 12, good=False) + every(0.05, 12, 20) + every(0.05, 20, 25, good=False)
        self.assert_is(outage(samples, 10.0, 25), 2.01, 0.05, 40)

    def test_has_a_gap_where_nothing_ended(self):
        samples = [Sample(10.0, 13.0, False)] + every(0.05, 14, 20)
        self.assert_is(outage(samples, 10.0, 20), 4.01, 3.0, 1)

    def test_is_none_without_a_failure_or_a_sample(self):
        self.assertIsNone(outage(every(0.05, 0, 60), 10.0, 60))
        self.assertIsNone(outage([], 10.0, 60))
        self.assertIsNone(outage(every(0.05, 0, 60, good=False), 10.0, 60))


if __name__ == "__main__":
    unittest.main()
