"""`./dev screenshots FOLDER`: the dashboard's pictures for the README, of a platform with some functions and runs."""

import os
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
os.environ["INFRA_BIN"] = str(Path(os.environ["INFRA_BIN"]).resolve())
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import API_KEY, Infra  # noqa: E402  (it lives beside other tests)
from node import environment, node_program  # noqa: E402

MOST_BYTES = 150 * 1024
RESIZE = """def handler(event, context):
    width = int(event.get("width", 640))
    print(f"resizing {event.get('image', 'photo.jpg')} to {width} px")
    pixels = bytearray(width * width * 3)
    if event.get("image") == "broken.jpg":
        raise ValueError("broken.jpg is no JPEG")
    with open("/output/thumbnail.bin", "wb") as file:
        file.write(pixels[:4096])
    return {"image": event.get("image", "photo.jpg"), "width": width, "bytes": len(pixels)}
"""


def prepare(infra):
    """Functions of several kinds, of which one has runs of several kinds."""
    resize = infra.deploy({"main.py": RESIZE}, name="resize", description="Makes thumbnails.", memoryMb=512, deploy="true")
    for number in range(24):
        infra.run(resize, {"image": f"photo-{number}.jpg", "width": 320 + 40 * number})
    infra.run(resize, {"image": "broken.jpg"})
    for name, runtime in (("send-mail", "nodejs"), ("word-count", "python"), ("webhook", "nodejs"), ("nightly-report", "python")):
        code = "exports.handler = async () => 1;" if runtime == "nodejs" else "def handler(event, context):\n    return 1\n"
        function = infra.deploy(code, runtime, name=name, deploy="true")
        for _ in range(len(name)):
            infra.run(function, {})


def main():
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    infra = Infra().start()
    try:
        prepare(infra)
        subprocess.run([node_program(), str(HERE / "screenshots.mjs"), str(folder)],
                       env=environment(f"http://127.0.0.1:{infra.port}", API_KEY), check=True, timeout=120)
        infra.stop()
    finally:
        infra.close()
    owner = folder.parent.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    for picture in sorted(folder.glob("dashboard-*.png")):
        os.chown(picture, owner.st_uid, owner.st_gid)
        size = picture.stat().st_size
        print(f"{picture.relative_to(Path.cwd())}: {size // 1024} KiB")
        if size > MOST_BYTES:
            sys.exit(f"screenshots: {picture.name} is larger than {MOST_BYTES // 1024} KiB.")


if __name__ == "__main__":
    main()
