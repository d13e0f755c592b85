"""Calls each action of the emulator through the typed client for Python, with a recording that matches the photo."""
import hashlib
import json
import os
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


def empty_fields(model):
    for name, value in vars(model).items():
        if value is None:
            yield name.lstrip("_")
        elif hasattr(value, "_deserialize"):
            for inner in empty_fields(value):
                yield "%s.%s" % (name.lstrip("_"), inner)


def judge(action, inputs, parameters):
    asked = dict(parameters)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name, ending in inputs.items():
            asked.update(upload(action, name, ending))
        reply = call(action, asked)
    faults = ["the reply lacks " + name for name in empty_fields(reply)]
    # The SDK warns about fields that its model lacks.
    faults += [str(each.message) for each in told if "fields are useless" in str(each.message)]
    return "; ".join(faults)


for action, (inputs, parameters) in ACTIONS.items():
    if not hasattr(client, action):
        verdict = {"outcome": "left out"}
    else:
        try:
            message = judge(action, inputs, parameters)
        except Exception as error:
            message = "%s: %s" % (type(error).__name__, error)
        verdict = {"outcome": "failed", "message": message} if message else {"outcome": "passed"}
    sys.stdout.write("\nRESULT " + json.dumps(dict(verdict, name=action)) + "\n")
