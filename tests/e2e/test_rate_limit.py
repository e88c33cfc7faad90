"""The rate limit as clients meet it: an exact window under many connections, which on one machine tests/platform/scenes/limits_test.cc has."""

import threading
import time

from harness import API_KEY, Case, main, only_in_a_fleet, same_in_a_fleet

LIMIT, WINDOW = 20, 1
UNKNOWN = {"functionId": "01890000-0000-7000-8000-000000000000"}  # 404: cheap, and counted like any other answer


@only_in_a_fleet
class Flood(Case):
    environment = {"RATE_LIMIT": str(LIMIT), "RATE_LIMIT_WINDOW_SECONDS": str(WINDOW)}

    def test_never_more_than_the_limit_in_any_window(self):
        seconds, connections = 3.2 * WINDOW, 16
        answers, lock = [], threading.Lock()
        end = time.monotonic() + seconds

        def flood():
            connection = self.infra.connect()
            while time.monotonic() < end:
                sent = time.monotonic()
                answer = self.infra.request("POST", "/run", UNKNOWN, connection=connection)
                with lock:
                    answers.append((sent, time.monotonic(), answer))
                time.sleep(0.002)
            connection.close()

        threads = [threading.Thread(target=flood) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual({answer.status for _, _, answer in answers}, {404, 429})
        # A request was counted at some moment between sending and answer. Too many are proved only by more than LIMIT whose
        # whole spans lie within one window.
        let_through = sorted((sent, got) for sent, got, answer in answers if answer.status != 429)
        for first, _ in let_through:
            inside = [got for sent, got in let_through if sent >= first and got < first + WINDOW]
            self.assertLessEqual(len(inside), LIMIT)
        # And the whole budget is given: three windows are over.
        self.assertGreaterEqual(len(let_through), 3 * LIMIT)
        self.assertLessEqual(len(let_through), 4 * LIMIT)

        for _, _, answer in answers:
            headers = answer.headers
            self.assertEqual(headers["X-RateLimit-Limit"], str(LIMIT))
            self.assertTrue(0 <= int(headers["X-RateLimit-Remaining"]) < LIMIT)
            self.assertTrue(abs(int(headers["X-RateLimit-Reset"]) - time.time()) < seconds + 2 * WINDOW)
            self.assertEqual(headers["RateLimit-Policy"], f'"default";q={LIMIT};w={WINDOW}')
            self.assertRegex(headers["RateLimit"], r'^"default";r=\d+;t=\d+$')
            self.assertLessEqual(int(headers["RateLimit"].rsplit("=", 1)[1]), WINDOW)
            if answer.status == 429:
                self.assertEqual(headers["X-RateLimit-Remaining"], "0")
                self.assertTrue(1 <= int(headers["Retry-After"]) <= WINDOW)
        refused = next(answer for _, _, answer in answers if answer.status == 429)
        self.assert_error(refused, 429, "rate_limited")
        # Refused ones did not count: as soon as the window is over there is room.
        time.sleep(WINDOW + 0.1)
        answer = self.infra.request("POST", "/run", UNKNOWN)
        self.assertEqual((answer.status, answer.headers["X-RateLimit-Remaining"]), (404, str(LIMIT - 1)))


@same_in_a_fleet
class Started(Case):
    """What counts, on whom and for how long: src/http/rate_test.cc. Here is what takes a socket, and a program without the variables."""

    environment = {"RATE_LIMIT": "4", "RATE_LIMIT_WINDOW_SECONDS": "3600", "TRUSTED_PROXY_HOPS": "1"}

    def as_client(self, address, **more):
        return self.infra.request("POST", "/run", UNKNOWN, {"X-Forwarded-For": address}, **more)

    def test_a_request_counts_before_its_body_is_there(self):
        for _ in range(4):
            self.assertEqual(self.as_client("10.0.0.5").status, 404)
        connection = self.infra.connect()
        connection.putrequest("POST", "/upload")
        for name, value in (("x-api-key", API_KEY), ("X-Forwarded-For", "10.0.0.5"), ("Content-Length", "40000000")):
            connection.putheader(name, value)
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 429)
        connection.close()
        self.assertEqual(self.as_client("10.0.0.6").status, 404)

    def test_it_is_a_hundred_a_minute_if_nothing_is_said(self):
        self.infra.stop()
        for name in ("RATE_LIMIT", "RATE_LIMIT_WINDOW_SECONDS"):
            del self.infra.env[name]
        self.infra.start()
        answer = self.as_client("10.0.0.7")
        self.assertEqual((answer.status, answer.headers["RateLimit-Policy"]), (404, '"default";q=100;w=60'))


if __name__ == "__main__":
    main()
