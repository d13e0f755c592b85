// Calls each action of the emulator through the typed client for Go, with a recording that matches the photo.
package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go-intl-en/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go-intl-en/tencentcloud/common/profile"
	faceid "github.com/tencentcloud/tencentcloud-sdk-go-intl-en/tencentcloud/faceid/v20180301"
)

var client *faceid.Client

// upload uploads a sample through a link of CreateUploadUrl. It returns the resource's link and MD5.
func upload(action, ending string) (*string, *string, error) {
	body, err := os.ReadFile(filepath.Join(os.Getenv("SAMPLES"), "match."+ending))
	if err != nil {
		return nil, nil, err
	}
	ask := faceid.NewCreateUploadUrlRequest()
	ask.TargetAction = &action
	links, err := client.CreateUploadUrl(ask)
	if err != nil {
		return nil, nil, err
	}
	put, err := http.NewRequest("PUT", *links.Response.UploadUrl, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	reply, err := http.DefaultClient.Do(put)
	if err != nil {
		return nil, nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != 200 {
		return nil, nil, fmt.Errorf("the upload was answered with %d", reply.StatusCode)
	}
	sum := md5.Sum(body)
	digest := hex.EncodeToString(sum[:])
	return links.Response.ResourceUrl, &digest, nil
}

func createUploadURL() (interface{}, error) {
	ask := faceid.NewCreateUploadUrlRequest()
	action := "DetectReflectLivenessAndCompare"
	ask.TargetAction = &action
	reply, err := client.CreateUploadUrl(ask)
	if err != nil {
		return nil, err
	}
	return reply.Response, nil
}

func generateReflectSequence() (interface{}, error) {
	ask := faceid.NewGenerateReflectSequenceRequest()
	var err error
	if ask.DeviceDataUrl, ask.DeviceDataMd5, err = upload("GenerateReflectSequence", "txt"); err != nil {
		return nil, err
	}
	level := "1"
	ask.SecurityLevel = &level
	reply, err := client.GenerateReflectSequence(ask)
	if err != nil {
		return nil, err
	}
	return reply.Response, nil
}

func detectReflectLivenessAndCompare() (interface{}, error) {
	ask := faceid.NewDetectReflectLivenessAndCompareRequest()
	var err error
	if ask.LiveDataUrl, ask.LiveDataMd5, err = upload("DetectReflectLivenessAndCompare", "gz"); err != nil {
		return nil, err
	}
	if ask.ImageUrl, ask.ImageMd5, err = upload("DetectReflectLivenessAndCompare", "jpg"); err != nil {
		return nil, err
	}
	reply, err := client.DetectReflectLivenessAndCompare(ask)
	if err != nil {
		return nil, err
	}
	return reply.Response, nil
}

func videoLivenessCompare() (interface{}, error) {
	ask := faceid.NewVideoLivenessCompareRequest()
	var err error
	if ask.VideoUrl, ask.VideoMd5, err = upload("VideoLivenessCompare", "mp4"); err != nil {
		return nil, err
	}
	if ask.ImageUrl, ask.ImageMd5, err = upload("VideoLivenessCompare", "jpg"); err != nil {
		return nil, err
	}
	kind := "SILENT"
	ask.LivenessType = &kind
	reply, err := client.VideoLivenessCompare(ask)
	if err != nil {
		return nil, err
	}
	return reply.Response, nil
}

// emptyFields names the fields of a model that the reply did not fill.
func emptyFields(model reflect.Value) []string {
	empty := []string{}
	for index := 0; index < model.NumField(); index++ {
		field, name := model.Field(index), model.Type().Field(index).Name
		if field.Kind() == reflect.Ptr && field.IsNil() {
			empty = append(empty, name)
		} else if field.Kind() == reflect.Ptr && field.Elem().Kind() == reflect.Struct {
			for _, inner := range emptyFields(field.Elem()) {
				empty = append(empty, name+"."+inner)
			}
		}
	}
	return empty
}

func main() {
	settings := profile.NewClientProfile()
	settings.HttpProfile.Endpoint = "faceid.intl.tencentcloudapi.com"
	var err error
	client, err = faceid.NewClient(common.NewCredential(os.Getenv("SECRET_ID"), os.Getenv("SECRET_KEY")), "ap-singapore", settings)
	if err != nil {
		panic(err)
	}
	actions := []struct {
		name string
		call func() (interface{}, error)
	}{
		{"CreateUploadUrl", createUploadURL},
		{"GenerateReflectSequence", generateReflectSequence},
		{"DetectReflectLivenessAndCompare", detectReflectLivenessAndCompare},
		{"VideoLivenessCompare", videoLivenessCompare},
	}
	for _, action := range actions {
		verdict := map[string]string{"name": action.name, "outcome": "passed"}
		reply, err := action.call()
		if err != nil {
			verdict["outcome"], verdict["message"] = "failed", err.Error()
		} else if empty := emptyFields(reflect.ValueOf(reply).Elem()); len(empty) > 0 {
			verdict["outcome"], verdict["message"] = "failed", "the reply lacks "+strings.Join(empty, ", ")
		}
		line, _ := json.Marshal(verdict)
		fmt.Printf("\nRESULT %s\n", line)
	}
}
