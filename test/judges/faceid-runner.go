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
	"regexp"
	"sort"
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

// readFields collects the paths of the fields of a model that the reply did not fill, and of those that it did.
func readFields(model reflect.Value, prefix string, empty, filled map[string]bool) {
	for index := 0; index < model.NumField(); index++ {
		field, path := model.Field(index), prefix+model.Type().Field(index).Name
		if (field.Kind() == reflect.Ptr || field.Kind() == reflect.Slice) && field.IsNil() {
			empty[path] = true
			continue
		}
		filled[path] = true
		items := []reflect.Value{field}
		if field.Kind() == reflect.Slice {
			items = nil
			for at := 0; at < field.Len(); at++ {
				items = append(items, field.Index(at))
			}
		}
		for _, item := range items {
			if item.Kind() == reflect.Ptr && item.Elem().Kind() == reflect.Struct {
				readFields(item.Elem(), path+".", empty, filled)
			}
		}
	}
}

// missingFields names the fields that are empty in every reply, and in every object of an array.
func missingFields(replies []interface{}) []string {
	empty, filled := map[string]bool{}, map[string]bool{}
	for _, reply := range replies {
		readFields(reflect.ValueOf(reply).Elem(), "", empty, filled)
	}
	allowed := regexp.MustCompile(os.Getenv("EMPTY"))
	missing := []string{}
	for path := range empty {
		if !filled[path] && !allowed.MatchString(path) {
			missing = append(missing, path)
		}
	}
	sort.Strings(missing)
	return missing
}

// makers creates the requests of the calls without uploads.
var makers = map[string]func() interface{ FromJsonString(string) error }{
	"CompareFaceLiveness":              func() interface{ FromJsonString(string) error } { return faceid.NewCompareFaceLivenessRequest() },
	"DetectAIFakeFaces":                func() interface{ FromJsonString(string) error } { return faceid.NewDetectAIFakeFacesRequest() },
	"ApplySdkVerificationToken":        func() interface{ FromJsonString(string) error } { return faceid.NewApplySdkVerificationTokenRequest() },
	"GetSdkVerificationResult":         func() interface{ FromJsonString(string) error } { return faceid.NewGetSdkVerificationResultRequest() },
	"GetFaceIdTokenIntl":               func() interface{ FromJsonString(string) error } { return faceid.NewGetFaceIdTokenIntlRequest() },
	"GetFaceIdResultIntl":              func() interface{ FromJsonString(string) error } { return faceid.NewGetFaceIdResultIntlRequest() },
	"ApplyLivenessToken":               func() interface{ FromJsonString(string) error } { return faceid.NewApplyLivenessTokenRequest() },
	"GetLivenessResult":                func() interface{ FromJsonString(string) error } { return faceid.NewGetLivenessResultRequest() },
	"ApplyWebVerificationBizTokenIntl": func() interface{ FromJsonString(string) error } { return faceid.NewApplyWebVerificationBizTokenIntlRequest() },
	"GetWebVerificationResultIntl":     func() interface{ FromJsonString(string) error } { return faceid.NewGetWebVerificationResultIntlRequest() },
}

// call makes a typed call with parameters that come as JSON. It returns the fields of the reply.
func call(action, parameters string) (interface{}, error) {
	ask := makers[action]()
	if err := ask.FromJsonString(parameters); err != nil {
		return nil, err
	}
	results := reflect.ValueOf(client).MethodByName(action).Call([]reflect.Value{reflect.ValueOf(ask)})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	return results[0].Elem().FieldByName("Response").Interface(), nil
}

// play makes attempts in a session. The last one ends it.
func play(token string, cards []string) error {
	for index, card := range cards {
		step := "try"
		if index == len(cards)-1 {
			step = "finish"
		}
		body, _ := json.Marshal(map[string]string{"token": token, "step": step, "card": card})
		reply, err := http.Post(os.Getenv("CONTROL")+"/sessions/play", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		reply.Body.Close()
		if reply.StatusCode != 200 {
			return fmt.Errorf("the session was answered with %d", reply.StatusCode)
		}
	}
	return nil
}

// report prints the verdict on the replies to an action.
func report(name string, replies []interface{}, err error) {
	verdict := map[string]string{"name": name, "outcome": "passed"}
	if err != nil {
		verdict["outcome"], verdict["message"] = "failed", err.Error()
	} else if missing := missingFields(replies); len(missing) > 0 {
		verdict["outcome"], verdict["message"] = "failed", "no reply has "+strings.Join(missing, ", ")
	}
	line, _ := json.Marshal(verdict)
	fmt.Printf("\nRESULT %s\n", line)
}

// flow is a call without uploads, and the call for its result if it issues a token.
type flow struct {
	Start, Result, Token string
	Sessions             []struct {
		Parameters json.RawMessage
		Cards      []string
	}
}

func (each flow) judge() {
	started := []interface{}{}
	var err error
	for _, session := range each.Sessions {
		var reply interface{}
		if reply, err = call(each.Start, string(session.Parameters)); err != nil {
			break
		}
		started = append(started, reply)
	}
	report(each.Start, started, err)
	if each.Result == "" || err != nil {
		return
	}
	ended := []interface{}{}
	for index, session := range each.Sessions {
		token := reflect.ValueOf(started[index]).Elem().FieldByName(each.Token).Elem().String()
		if err = play(token, session.Cards); err != nil {
			break
		}
		ask, _ := json.Marshal(map[string]string{each.Token: token})
		var reply interface{}
		if reply, err = call(each.Result, string(ask)); err != nil {
			break
		}
		ended = append(ended, reply)
	}
	report(each.Result, ended, err)
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
		reply, err := action.call()
		report(action.name, []interface{}{reply}, err)
	}
	content, err := os.ReadFile(filepath.Join(os.Getenv("SAMPLES"), "direct.json"))
	if err != nil {
		panic(err)
	}
	flows := []flow{}
	if err := json.Unmarshal(content, &flows); err != nil {
		panic(err)
	}
	for _, each := range flows {
		each.judge()
	}
}
