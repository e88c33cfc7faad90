"""The rate limit as clients meet it: an exact window under many connections, what counts, what is told."""

import threading
import time

from harness import API_KEY, ECHO, Case, main

LIMIT, WINDOW = 20, 2
UNKNOWN = {"functionId": "01890000-0000-7000-8000-000000000000"}  # 404: cheap, and counted like any other answer


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


class Counting(Case):
    environment = {"RATE_LIMIT": "4", "RATE_LIMIT_WINDOW_SECONDS": "3600", "TRUSTED_PROXY_HOPS": "1"}

    def as_client(self, address, method="POST", path="/run", body=None, **more):
        return self.infra.request(method, path, UNKNOWN if body is None else body, {"X-Forwarded-For": address}, **more)

    def test_what_counts(self):
        requests = [("POST", "/run"), ("POST", "/upload"), ("PUT", "/functions/x"), ("DELETE", "/api/functions/x")]
        for method, path in requests:
            self.assertNotEqual(self.as_client("10.0.0.1", method, path).status, 429)
        for method, path in requests:
            self.assert_error(self.as_client("10.0.0.1", method, path), 429, "rate_limited")
        for path in ("/functions", "/health", "/models", "/workers", "/functions/x", "/metrics"):
            answer = self.as_client("10.0.0.1", "GET", path)
            self.assertNotEqual(answer.status, 429)
            self.assertNotIn("X-RateLimit-Limit", answer.headers)

    def test_each_address_has_its_own_budget_and_ipv6_each_64(self):
        for address in ("10.0.0.2", "2001:db8:1:1::1"):
            for _ in range(4):
                self.assertEqual(self.as_client(address).status, 404)
            self.assertEqual(self.as_client(address).status, 429)
        self.assertEqual(self.as_client("10.0.0.3").status, 404)
        self.assertEqual(self.as_client("2001:db8:1:1:ffff::9").status, 429)
        self.assertEqual(self.as_client("2001:db8:1:2::1").status, 404)
        self.assertEqual(self.as_client("10.0.0.77, 10.0.0.2").status, 429)  # only the proxy's own entry counts
        self.assertEqual(self.as_client("10.0.0.2, 10.0.0.78").status, 404)

    def test_wrong_keys_have_a_bucket_of_their_own(self):
        for _ in range(4):
            self.assert_error(self.as_client("10.0.0.4", key="wrong"), 401)
        answer = self.as_client("10.0.0.4", key="wrong")
        self.assert_error(answer, 429)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assert_error(self.as_client("10.0.0.4", "GET", "/functions", key=None), 429)
        self.assertEqual(self.as_client("10.0.0.4", key=API_KEY).status, 404)

    def test_a_request_counts_before_its_body_is_there(self):
        for _ in range(4):
            self.as_client("10.0.0.5")
        connection = self.infra.connect()
        connection.putrequest("POST", "/upload")
        for name, value in (("x-api-key", API_KEY), ("X-Forwarded-For", "10.0.0.5"), ("Content-Length", "40000000")):
            connection.putheader(name, value)
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 429)
        connection.close()


class Off(Case):
    def test_zero_turns_it_off(self):
        function = self.infra.deploy(ECHO)
        for n in range(130):
            answer = self.infra.run(function, n) if n % 10 == 0 else self.infra.request("POST", "/run", UNKNOWN)
            self.assertIn(answer.status, (200, 404))
            self.assertNotIn("X-RateLimit-Limit", answer.headers)


class Standard(Case):
    def test_a_hundred_a_minute_if_nothing_is_said(self):
        self.infra.stop()
        del self.infra.env["RATE_LIMIT"]
        self.infra.start()
        statuses = [self.infra.request("POST", "/run", UNKNOWN).status for _ in range(103)]
        self.assertEqual(statuses, [404] * 100 + [429] * 3)


if __name__ == "__main__":
    main()
