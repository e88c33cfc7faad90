"""What may be uploaded, what is refused and why; and that what was refused or broken off leaves nothing behind."""

import io
import os
import socket
import stat
import struct
import threading
import time
import unittest
import warnings
import zipfile

from harness import API_KEY, ECHO, SANITIZED, Case, bundle, form, main, wait_for

MIB = 1024 * 1024


def archive(*entries):
    """A ZIP of (name, mode with its type, content), as written: names are not mended, and may come twice."""
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        warnings.simplefilter("ignore")
        for name, mode, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            out.writestr(entry, content)
    return packed.getvalue()


class Upload(Case):
    def stored_files(self):
        """Everything in the data folder but the databases themselves."""
        found = set()
        for base, _, names in os.walk(self.infra.data):
            found.update(os.path.join(base, n) for n in names if ".db" not in n and ".sqlite" not in n)
        return found

    def function_ids(self):
        return [row["id"] for row in self.infra.get("/functions").json()]

    def setUp(self):
        self.functions = self.function_ids()
        self.files = self.stored_files()

    def assert_nothing_left(self):
        self.assertEqual(self.function_ids(), self.functions)
        wait_for(lambda: self.stored_files() == self.files, 5, "an empty staging folder")

    def test_a_zip_that_is_refused_leaves_nothing(self):
        """The rules are tried one by one in src/core/bundle_*_test.cc and tests/contract/bundle_reader_contract.h."""
        good = bundle({"main.py": ECHO})
        for packed, says in [(b"", "zip"), (good[:-30], "zip"), (b"PK\x05\x06" + bytes(18), "empty"), (bundle({"other.py": ECHO}), "main.py"),
                             (bundle({"main.py": ECHO, "a/../../x": ""}), ".."),
                             (archive(("main.py", stat.S_IFREG | 0o644, ECHO), ("link", stat.S_IFLNK | 0o777, "/etc/passwd")), "absolute path"),
                             (bundle({"main.py": ECHO, "zeros": bytes(4 * MIB)}), "200 to 1")]:
            with self.subTest(says):
                answer = self.infra.upload(packed)
                self.assertIn(answer.status, (400, 413), answer)
                self.assertIn(says, self.assert_error(answer, answer.status)["error"].lower())
        self.assert_nothing_left()

    def test_zips_as_all_tools_write_them_run(self):
        folder, file, link = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
        main = ("import os, subprocess\nimport pkg.util\n"
                "def handler(event, context):\n"
                "    said = subprocess.run(['node_modules/.bin/tool'], capture_output=True, text=True, check=True).stdout\n"
                "    return [pkg.util.VALUE, said.strip(), os.readlink('main.py'), os.path.exists('caf\u00e9')]\n")
        odd = archive(("./", folder, ""), ("./src/", folder, ""), ("./src/main.py", file, "def handler(e, c): return 'old'"),
                      ("main.py", link, "src/main.py"), ("src//main.py", file, main), ("./pkg/util.py", file, "VALUE = 42"),
                      ("node_modules/.bin/tool", link, "../tool/run.sh"), ("caf?", file, ""),
                      ("/node_modules/tool/run.sh", stat.S_IFREG | 0o755, "#!/bin/sh\necho through the link\n"))
        odd = odd.replace(b"caf?", b"caf\x82")  # CP437
        for what, packed in [("as it is", odd), ("self-extracting", b"#!/bin/sh\n" * 100 + odd), ("padded", odd + bytes(512))]:
            with self.subTest(what):
                answer = self.infra.upload(packed)
                self.assertEqual(answer.status, 200, answer)
                result = self.infra.result(answer.json()["functionId"])
                self.assertEqual(result.get("result"), [42, "through the link", "src/main.py", True], result)

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        body, content_type = form([("file", "code.zip", os.urandom(8 * MIB))])
        head = (f"POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\nContent-Type: {content_type}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        for abrupt in (False, True):
            connection = socket.create_connection(("127.0.0.1", self.infra.port))
            connection.sendall(head + body[:4 * MIB])
            wait_for(lambda: self.stored_files() != self.files, what="a staged file")
            if abrupt:  # a reset instead of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            self.assert_nothing_left()

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is not the program's")
    def test_a_large_upload_is_not_held_in_memory(self):
        def upload(mib):
            answer = self.infra.upload(bundle({"main.py": ECHO, "data": os.urandom(mib * MIB)}))
            self.assertEqual(answer.status, 200, answer)

        upload(1)
        before, peak, done = self.infra.rss_kib(), 0, threading.Event()

        def watch():
            nonlocal peak
            while not done.is_set():
                peak = max(peak, self.infra.rss_kib())
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            upload(40)
        finally:
            done.set()
            watcher.join()
        self.assertLess(peak - before, 16 * 1024, "KiB more than before")


if __name__ == "__main__":
    main()
