"""Calls each action of the emulator through the typed client for Python, with a recording that matches the photo."""
import hashlib
import json
import os
import re
import sys
import warnings

import requests
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

CA = os.environ["SSL_CERT_FILE"]
keys = credential.Credential(os.environ["SECRET_ID"], os.environ["SECRET_KEY"])
profile = ClientProfile(httpProfile=HttpProfile(endpoint="faceid.intl.tencentcloudapi.com", certification=CA))
client = faceid_client.FaceidClient(keys, "ap-singapore", profile)

# For each action, the inputs (name and file extension of each sample) and the other parameters.
ACTIONS = {
    "CreateUploadUrl": ({}, {"TargetAction": "DetectReflectLivenessAndCompare"}),
    "GenerateReflectSequence": ({"DeviceData": "txt"}, {"SecurityLevel": "1"}),
    "DetectReflectLivenessAndCompare": ({"LiveData": "gz", "Image": "jpg"}, {}),
    "VideoLivenessCompare": ({"Video": "mp4", "Image": "jpg"}, {"LivenessType": "SILENT"}),
}


def call(action, parameters):
    request = getattr(models, action + "Request")()
    request.from_json_string(json.dumps(parameters))
    return getattr(client, action)(request)


def upload(action, name, ending):
    """Uploads a sample through a link of CreateUploadUrl. Returns the parameters that refer to the upload."""
    with open(os.path.join(os.environ["SAMPLES"], "match." + ending), "rb") as file:
        body = file.read()
    links = call("CreateUploadUrl", {"TargetAction": action})
    requests.put(links.UploadUrl, data=body).raise_for_status()
    return {name + "Url": links.ResourceUrl, name + "Md5": hashlib.md5(body).hexdigest()}


def read_fields(model, prefix, empty, filled):
    for name, value in vars(model).items():
        path = prefix + name.lstrip("_")
        if value is None:
            empty.add(path)
            continue
        filled.add(path)
        for item in value if isinstance(value, list) else [value]:
            if hasattr(item, "_deserialize"):
                read_fields(item, path + ".", empty, filled)


def missing_fields(replies):
    """The fields that are empty in every reply, and in every object of an array."""
    empty, filled = set(), set()
    for reply in replies:
        read_fields(reply, "", empty, filled)
    return [path for path in sorted(empty - filled) if not re.search(os.environ["EMPTY"], path)]


def play(token, cards):
    """Makes attempts in a session. The last one ends it."""
    for index, card in enumerate(cards):
        step = "finish" if index == len(cards) - 1 else "try"
        body = {"token": token, "step": step, "card": card}
        requests.post(os.environ["CONTROL"] + "/sessions/play", json=body).raise_for_status()


def report(action, perform):
    """Prints the verdict on the replies to an action."""
    if not hasattr(client, action):
        verdict = {"outcome": "left out"}
    else:
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                faults = ["no reply has " + name for name in missing_fields(perform())]
            # The SDK warns about fields that its model lacks.
            faults += [str(each.message) for each in told if "fields are useless" in str(each.message)]
            message = "; ".join(faults)
        except Exception as error:
            message = "%s: %s" % (type(error).__name__, error)
        verdict = {"outcome": "failed", "message": message} if message else {"outcome": "passed"}
    sys.stdout.write("\nRESULT " + json.dumps(dict(verdict, name=action)) + "\n")


def call_with_uploads(action, inputs, parameters):
    asked = dict(parameters)
    for name, ending in inputs.items():
        asked.update(upload(action, name, ending))
    return [call(action, asked)]


def start_all(flow, started):
    started += [call(flow["start"], session["parameters"]) for session in flow["sessions"]]
    return started


def finish_all(flow, started):
    replies = []
    for session, reply in zip(flow["sessions"], started):
        token = getattr(reply, flow["token"])
        play(token, session["cards"])
        replies.append(call(flow["result"], {flow["token"]: token}))
    return replies


for action, (inputs, parameters) in ACTIONS.items():
    report(action, lambda: call_with_uploads(action, inputs, parameters))
with open(os.path.join(os.environ["SAMPLES"], "direct.json")) as file:
    flows = json.load(file)
for flow in flows:
    started = []
    report(flow["start"], lambda: start_all(flow, started))
    if "result" in flow:
        report(flow["result"], lambda: finish_all(flow, started))
