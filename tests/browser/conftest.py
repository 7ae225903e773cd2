"""JupyterLab and Chromium for the tests: one of each serves all tests of a process.

Screenshots are kept in the folder that DEFECTKIT_SCREENSHOTS names. An error of the page or in its
console fails a test; with DEFECTKIT_PAGE_ERRORS=print it is printed.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from lab import SIZE, Lab

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
NO_BUILD = {"buildAvailable": False, "buildCheck": False}


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory):
    """URL and token of JupyterLab with nobody's settings, and the folder it serves."""
    folder = tmp_path_factory.mktemp("lab")
    settings = tmp_path_factory.mktemp("settings")
    (settings / "overrides.json").write_text(json.dumps(SETTINGS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        name: str(tmp_path_factory.mktemp(name.lower()))
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "JUPYTER_RUNTIME_DIR",
        )
    }
    token = secrets.token_hex(16)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={folder}",
            f"--LabApp.app_settings_dir={settings}",
            "--LabApp.expose_app_in_browser=True",
            # Else every page has the server ask yarn whether JupyterLab should be built anew.
            f"--ServerApp.tornado_settings={{'page_config_data': {NO_BUILD}}}",
        ],
        env=os.environ | own | {"PYTHONPATH": path, "JUPYTER_TOKEN": token},
        stdout=(folder / "server.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1500):
            try:
                urllib.request.urlopen(f"{url}/api", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.2)
        else:
            pytest.fail("JupyterLab did not start within five minutes")
        yield url, token, folder
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def one_lab(chromium, lab_server):
    """One page for all tests of a process: JupyterLab and the widgets' code are loaded once."""
    pictures = Path(os.environ.get("DEFECTKIT_SCREENSHOTS", lab_server[-1] / "screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    page = chromium.new_page(viewport=SIZE)
    page.set_default_timeout(300_000)  # a busy machine is no fault of the widgets
    return Lab(page, *lab_server, pictures)


@pytest.fixture
def lab(one_lab, request):
    """The page with nothing open; no error of its scripts passes."""
    failed = request.session.testsfailed
    one_lab.errors.clear()
    yield one_lab
    name = re.sub("[^a-z0-9]+", "_", request.node.name)
    one_lab.page.screenshot(path=one_lab.pictures / f"{name}.png")
    errors = list(one_lab.errors)
    one_lab.close()
    if request.session.testsfailed > failed:
        one_lab.page.goto("about:blank")  # whatever it is like now, the next test is not to suffer
    print(*errors, sep="\n", end="")
    assert not errors or os.environ.get("DEFECTKIT_PAGE_ERRORS") == "print", "\n".join(errors)
