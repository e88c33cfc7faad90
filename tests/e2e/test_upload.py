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


def special(name, mode, content=""):
    """A ZIP with a main.py and one entry of another kind."""
    return archive(("main.py", stat.S_IFREG | 0o644, ECHO), (name, mode, content))


def patched(packed, entry, offset_local, offset_central, layout, value):
    """The same ZIP with one field of an entry changed, in its local header and in the directory."""
    changed = bytearray(packed)
    for magic, offset, name_at in ((b"PK\x03\x04", offset_local, 30), (b"PK\x01\x02", offset_central, 46)):
        at = changed.find(magic)
        while changed[at + name_at:at + name_at + len(entry)] != entry:
            at = changed.find(magic, at + 4)
        struct.pack_into(layout, changed, at + offset, value)
    return bytes(changed)


def compressible(mib):
    """A hundred to one, below the ratio that is refused."""
    return (os.urandom(10 * 1024) + b"\0" * (MIB - 10 * 1024)) * mib


def many(count):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", ECHO)
        for n in range(count):
            archive.writestr(f"f/{n}", b"")
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

    def refuse(self, packed, says, status=(400, 413), **more):
        answer = self.infra.upload(packed, **more)
        self.assertIn(answer.status, status, answer)
        error = self.assert_error(answer, answer.status)
        self.assertIn(says.lower(), error["error"].lower())

    def test_each_rule_of_a_zip_is_named_when_it_is_broken(self):
        good = bundle({"main.py": ECHO})
        cases = [
            (b"", "zip"), (b"not a zip at all" * 100, "zip"), (good[:-30], "zip"), (b"PK\x05\x06" + bytes(18), "empty"),
            (bundle({"other.py": ECHO}), "main.py"), (bundle({"main.py/x": ""}), "main.py"),
            (bundle({"main.py": ECHO, "C:/x": ""}), "absolute"),
            (bundle({"main.py": ECHO, "../x": ""}), ".."), (bundle({"main.py": ECHO, "a/../../x": ""}), ".."),
            (bundle({"main.py": ECHO, "a\\b": ""}), "backslash"),
            (special("link", stat.S_IFLNK | 0o777, "/etc/passwd"), "absolute path"),
            (special("link", stat.S_IFLNK | 0o777, "../x"), "out of the bundle"),
            (special("main.py/x", stat.S_IFLNK | 0o777, "y"), "file and as a folder"),
            (special("disk", stat.S_IFBLK | 0o666), "device"), (special("pipe", stat.S_IFIFO | 0o666), "special"),
            (bundle({"main.py": ECHO, "a": "x", "a/b": "y"}), "file and as a folder"),
            (bundle({"main.py": ECHO, "caf?.txt": ""}).replace(b"caf?", b"caf\x07"), "control character"),
            (bundle({"myfn/main.py": ECHO}), "cd myfn && zip -r ../function.zip ."),
            (patched(good, b"main.py", 6, 8, "<H", 1), "encrypted"),
            (bundle({"main.py": ECHO, "zeros": bytes(4 * MIB)}), "200 to 1"),
            (bundle({"main.py": ECHO, **{f"part{n}": compressible(26) for n in range(10)}}), "250 mib"),
            (many(10_000), "10000 entries"),
        ]
        for packed, says in cases:
            with self.subTest(says):
                self.refuse(packed, says)
        self.refuse(bundle({"main.py": ECHO}), "index.js", headers={"x-runtime": "nodejs"})
        self.refuse(bundle({"index.js": ""}), "main.cpp", headers={"x-runtime": "cpp"})
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

    def test_a_directory_that_lies_about_sizes_is_found_out(self):
        honest = bundle({"main.py": ECHO, "bomb": bytes(64 * MIB)})
        lying = patched(honest, b"bomb", 22, 24, "<I", 1000)
        answer = self.infra.upload(lying)
        self.assertIn(answer.status, (400, 413), answer)
        self.assert_nothing_left()

    def test_51_mib_are_too_many(self):
        self.assert_error(self.infra.upload(b"\0" * (51 * MIB)), 413, says="50 MiB")
        # The same without a length in advance.
        body, content_type = form([("file", "code.zip", b"\0" * (51 * MIB))])
        pieces = (body[at:at + 65536] for at in range(0, len(body), 65536))
        answer = self.infra.request("POST", "/upload", pieces, {"Content-Type": content_type, "Transfer-Encoding": "chunked"})
        self.assert_error(answer, 413, says="50 MiB")
        self.assert_nothing_left()

    def test_a_form_must_have_one_file_in_the_field_file(self):
        good = bundle({"main.py": ECHO})
        for parts, says in [([("bundle", "code.zip", good)], "file"), ([], "file"), ([("runtime", None, "python")], "file"),
                            ([("file", "a.zip", good), ("file", "b.zip", good)], "two"),
                            ([("file", "a.zip", good), ("more", "b.zip", good)], "file")]:
            with self.subTest(says=says, parts=len(parts)):
                body, content_type = form(parts)
                answer = self.infra.request("POST", "/upload", body, {"Content-Type": content_type})
                self.assert_error(answer, 400, says=says)
        self.assert_nothing_left()

    def test_a_body_that_is_no_form_is_refused(self):
        good, content_type = form([("file", "code.zip", bundle({"main.py": ECHO}))])
        for body, headers, status in [
                (good, {}, (400, 415)), (good, {"Content-Type": "application/zip"}, (400, 415)),
                (good, {"Content-Type": "multipart/form-data"}, (400, 415)),
                (good, {"Content-Type": 'multipart/form-data; boundary="'}, (400, 415)),
                (good, {"Content-Type": "multipart/form-data; boundary=other"}, (400,)),
                (good[:-20], {"Content-Type": content_type}, (400,)), (b"", {"Content-Type": content_type}, (400,)),
                (b"--x\r\nno header here\r\n\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, (400,))]:
            with self.subTest(headers=headers, size=len(body)):
                answer = self.infra.request("POST", "/upload", body, headers)
                self.assertIn(answer.status, status, answer)
                self.assert_error(answer, answer.status)
        self.assert_nothing_left()

    def test_present_but_empty_or_wrong_values_are_refused(self):
        good = bundle({"main.py": ECHO})
        for headers in [{"x-runtime": ""}, {"x-memory-mb": ""}, {"x-function-name": ""}, {"x-runtime": "cobol"},
                        {"x-memory-mb": "127"}, {"x-memory-mb": "10241"}, {"x-memory-mb": "128.5"}, {"x-memory-mb": "1e3"},
                        {"x-memory-mb": "-128"}, {"x-network": ""}, {"x-network": "all"}, {"x-keep-warm": "17"},
                        {"x-max-concurrency": "1001"}, {"x-max-concurrency": ""}, {"x-function-name": "%zz"}, {"x-function-name": "%ff"}]:
            with self.subTest(headers):
                self.assert_error(self.infra.upload(good, headers=headers), 400)
        for name, value in [("runtime", ""), ("memoryMb", "lots"), ("timeoutMs", "99"), ("timeoutMs", "900001"), ("envVars", ""),
                            ("envVars", "{"), ("envVars", "[]"), ("envVars", '{"A":1}'), ("envVars", '{"LD_PRELOAD":"x"}'),
                            ("envVars", '{"PAYLOAD":"x"}'), ("envVars", '{"a-b":"x"}'), ("name", ""),
                            ("network", "Egress"), ("keepWarm", "-1"), ("maxConcurrency", "many")]:
            with self.subTest(name=name, value=value):
                self.assert_error(self.infra.upload(good, [(name, None, value)]), 400)
        self.assert_nothing_left()

    def test_parts_come_in_any_order(self):
        fields = [("runtime", None, "python"), ("memoryMb", None, "200"), ("name", None, "any%20order"),
                  ("description", None, "äöü"), ("envVars", None, '{"A":"1"}'), ("timeoutMs", None, "5000"),
                  ("network", None, "none"), ("keepWarm", None, "0"), ("maxConcurrency", None, "7")]
        file = ("file", "code.zip", bundle({"main.py": "import os\ndef handler(e, c): return os.environ['A']"}))
        for parts in ([file, *fields], [*fields, file], [*fields[:3], file, *fields[3:]]):
            body, content_type = form(parts)
            answer = self.infra.request("POST", "/upload", body, {"Content-Type": content_type})
            self.assertEqual(answer.status, 200, answer)
            function = answer.json()["functionId"]
            row = self.infra.get(f"/functions/{function}").json()
            self.assertEqual((row["memoryMb"], row["name"], row["description"]), (200, "any order", "äöü"))
            self.assertEqual((row["network"], row["keepWarm"], row["maxConcurrency"]), ("none", 0, 7))
        self.assertEqual(self.infra.result(function)["result"], "1")

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
