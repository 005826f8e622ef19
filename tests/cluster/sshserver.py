"""A git server over ssh: sshd as an ordinary user, which admits the keys it is given and lets them do nothing but git.

Runs in a pod of the image sshserver. It finds in FOLDER: `host` (its private key), `authorized_keys`, and `repositories.json`
({name: {path: content}}), served as git@HOST:<name>.git and ssh://git@HOST/home/git/<name>.git on port 2222.

Usage inside the pod: python3 -m sshserver FOLDER
"""

import json
import os
import subprocess
import sys
import tempfile

PORT = 2222
HOME = "/home/git"

CONFIG = """
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
DisableForwarding yes
PermitTTY no
PermitUserRC no
ForceCommand git-shell -c "$SSH_ORIGINAL_COMMAND"
PidFile none
# The files are a mounted Secret, which belongs to root.
StrictModes no
"""


def make(name: str, files: dict[str, str]) -> None:
    """The bare repository <name>.git in the home folder, with one commit."""
    with tempfile.TemporaryDirectory() as work:
        for path, content in files.items():
            target = os.path.join(work, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(content)
        git = ["git", "-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com"]
        for command in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], ["commit", "-q", "-m", "all"]):
            subprocess.run([*git, *command], check=True)
        subprocess.run(["git", "clone", "-q", "--bare", work, f"{HOME}/{name}.git"], check=True)


def main(folder: str) -> None:
    with open(f"{folder}/repositories.json", encoding="utf-8") as file:
        repositories: dict[str, dict[str, str]] = json.load(file)
    for name, files in repositories.items():
        make(name, files)
    config = f"{HOME}/sshd_config"
    with open(config, "w", encoding="utf-8") as written:
        written.write(CONFIG.format(port=PORT, folder=folder))
    os.execv("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", config])


if __name__ == "__main__":
    main(sys.argv[1])
