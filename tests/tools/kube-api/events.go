// Test code: stands for the Kubernetes API server's events.k8s.io/v1; its contract: the API's reference ("Event v1 events.k8s.io"), what
// the server's own validation of Events refuses, and RFC 7386.
// SPDX-License-Identifier: Apache-2.0
//
// An Event is kept in DIR/events/NAMESPACE.NAME.json, as it is now; DIR/writes has a line for each request that writes: METHOD, status,
// NAMESPACE/NAME. Fields that the API does not know are refused, as with fieldValidation=Strict.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"
)

const eventsPath = "/apis/events.k8s.io/v1/namespaces/"

type reference struct {
	APIVersion      string `json:"apiVersion,omitempty"`
	Kind            string `json:"kind,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	Name            string `json:"name,omitempty"`
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	FieldPath       string `json:"fieldPath,omitempty"`
}

type series struct {
	Count            int32  `json:"count"`
	LastObservedTime string `json:"lastObservedTime"`
}

type event struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Namespace   string            `json:"namespace"`
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	EventTime           string     `json:"eventTime"`
	Series              *series    `json:"series,omitempty"`
	ReportingController string     `json:"reportingController"`
	ReportingInstance   string     `json:"reportingInstance"`
	Action              string     `json:"action"`
	Reason              string     `json:"reason"`
	Regarding           reference  `json:"regarding"`
	Related             *reference `json:"related,omitempty"`
	Note                string     `json:"note"`
	Type                string     `json:"type"`
}

var (
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	qualified = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
)

func isSubdomain(name string) bool { return len(name) <= 253 && subdomain.MatchString(name) }

// RFC 3339 with exactly six digits of a second: metav1.MicroTime.
func isTime(text string) bool {
	_, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", text)
	return err == nil
}

// What is wrong with it, for an Event that is created or whose series has changed; the server tells all of it at once.
func (e *event) invalid(checkSeries bool) []string {
	var wrong []string
	check := func(good bool, what string) {
		if !good {
			wrong = append(wrong, what)
		}
	}
	bounded := func(name, text string, required bool, most int) {
		check(!required || text != "", name+": Required value")
		check(len(text) <= most, fmt.Sprintf("%s: can have at most %d characters", name, most))
	}
	check(isSubdomain(e.Metadata.Name), "metadata.name: a lowercase RFC 1123 subdomain")
	check(isSubdomain(e.Metadata.Namespace), "metadata.namespace: a lowercase RFC 1123 subdomain")
	check(isTime(e.EventTime), "eventTime: Required value")
	check(e.Type == "Normal" || e.Type == "Warning", "type: has invalid value: "+e.Type)
	check(e.Regarding.Namespace != "" || e.Metadata.Namespace == "default" || e.Metadata.Namespace == "kube-system",
		"involvedObject.namespace: does not match event.namespace")
	check(qualified.MatchString(e.ReportingController), "reportingController: a qualified name")
	bounded("reportingInstance", e.ReportingInstance, true, 128)
	bounded("action", e.Action, true, 128)
	bounded("reason", e.Reason, true, 128)
	bounded("message", e.Note, false, 1024)
	if checkSeries && e.Series != nil {
		check(e.Series.Count >= 2, "series.count: should be at least 2")
		check(isTime(e.Series.LastObservedTime), "series.lastObservedTime: Required value")
	}
	return wrong
}

// What may not change: all but labels, annotations and the series.
func (e event) fixed() event {
	e.Series, e.Metadata.Labels, e.Metadata.Annotations = nil, nil, nil
	return e
}

func decode(text []byte) (e event, err error) {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.DisallowUnknownFields()
	err = reader.Decode(&e)
	return e, err
}

// RFC 7386.
func merge(target, patch any) any {
	changes, isObject := patch.(object)
	if !isObject {
		return patch
	}
	result := object{}
	if old, isObject := target.(object); isObject {
		for name, value := range old {
			result[name] = value
		}
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = merge(result[name], value)
		}
	}
	return result
}

func invalidAnswer(w http.ResponseWriter, name string, wrong []string) int {
	answer(w, 422, failure(422, "Invalid", fmt.Sprintf("Event.events.k8s.io %q is invalid: %s", name, strings.Join(wrong, ", "))))
	return 422
}

func badAnswer(w http.ResponseWriter, err error) int {
	answer(w, 400, failure(400, "BadRequest", err.Error()))
	return 400
}

func (s *store) hasNamespace(namespace string) bool {
	for key := range s.pods {
		if strings.HasPrefix(key, namespace+"/") {
			return true
		}
	}
	return namespace == "default" || namespace == "kube-system"
}

func (s *store) keep(w http.ResponseWriter, code int, file string, e event) int {
	text, _ := json.Marshal(e)
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return badAnswer(w, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return badAnswer(w, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(text)
	return code
}

func (s *store) eventFile(namespace, name string) string {
	return filepath.Join(s.dir, "events", namespace+"."+name+".json")
}

func (s *store) createEvent(w http.ResponseWriter, namespace string, body []byte) (int, string) {
	e, err := decode(body)
	name := e.Metadata.Name
	switch {
	case err != nil:
		return badAnswer(w, err), name
	case e.APIVersion != "events.k8s.io/v1" || e.Kind != "Event":
		return badAnswer(w, fmt.Errorf("%s %s is no events.k8s.io/v1 Event", e.APIVersion, e.Kind)), name
	case e.Metadata.Namespace != namespace:
		return badAnswer(w, fmt.Errorf("the namespace of the provided object does not match the namespace sent on the request")), name
	case !s.hasNamespace(namespace):
		answer(w, 404, failure(404, "NotFound", fmt.Sprintf("namespaces %q not found", namespace)))
		return 404, name
	}
	if wrong := e.invalid(true); wrong != nil {
		return invalidAnswer(w, name, wrong), name
	}
	file := s.eventFile(namespace, name)
	if _, err := os.Stat(file); err == nil {
		answer(w, 409, failure(409, "AlreadyExists", fmt.Sprintf("events.events.k8s.io %q already exists", name)))
		return 409, name
	}
	return s.keep(w, 201, file, e), name
}

func (s *store) patchEvent(w http.ResponseWriter, namespace, name, kind string, body []byte) int {
	var old, patch any
	file := s.eventFile(namespace, name)
	text, err := os.ReadFile(file)
	if err != nil {
		answer(w, 404, failure(404, "NotFound", fmt.Sprintf("events.events.k8s.io %q not found", name)))
		return 404
	}
	if kind != "application/merge-patch+json" {
		answer(w, 415, failure(415, "UnsupportedMediaType", "the body of the request was in an unknown format"))
		return 415
	}
	before, _ := decode(text)
	json.Unmarshal(text, &old)
	if err := json.Unmarshal(body, &patch); err != nil {
		return badAnswer(w, err)
	}
	text, _ = json.Marshal(merge(old, patch))
	after, err := decode(text)
	if err != nil {
		return badAnswer(w, err)
	}
	wrong := after.invalid(!reflect.DeepEqual(before.Series, after.Series))
	if !reflect.DeepEqual(before.fixed(), after.fixed()) {
		wrong = append(wrong, "field is immutable")
	}
	if wrong != nil {
		return invalidAnswer(w, name, wrong)
	}
	return s.keep(w, 200, file, after)
}

func (s *store) forbidEvent(w http.ResponseWriter, verb, namespace string) int {
	answer(w, 403, failure(403, "Forbidden", fmt.Sprintf("events.events.k8s.io is forbidden: User \"system:serviceaccount:kube-system:lab\" "+
		"cannot %s resource \"events\" in API group \"events.k8s.io\" in the namespace %q", verb, namespace)))
	return 403
}

// PATH: NAMESPACE/events, or NAMESPACE/events/NAME.
func (s *store) serveEvents(w http.ResponseWriter, r *http.Request, manner string) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, eventsPath), "/")
	body, err := io.ReadAll(r.Body)
	name, status := "", 0
	s.lock.Lock()
	defer s.lock.Unlock()
	// A namespace that ends takes no new objects: admission plugin NamespaceLifecycle.
	ending := fmt.Sprintf("events.events.k8s.io is forbidden: unable to create new content in namespace %s because it is being terminated", parts[0])
	creates, patches := r.Method == "POST" && len(parts) == 2, r.Method == "PATCH" && len(parts) == 3
	switch {
	case err != nil || len(parts) < 2 || parts[1] != "events" || !(creates || patches):
		answer(w, 404, failure(404, "NotFound", "the server could not find the requested resource"))
		status = 404
	case creates && manner == "forbid":
		status = s.forbidEvent(w, "create", parts[0])
	case creates && manner == "terminate":
		answer(w, 403, failure(403, "Forbidden", ending))
		status = 403
	case creates:
		status, name = s.createEvent(w, parts[0], body)
	case manner == "forbid":
		status, name = s.forbidEvent(w, "patch", parts[0]), parts[2]
	default:
		status, name = s.patchEvent(w, parts[0], parts[2], r.Header.Get("Content-Type"), body), parts[2]
	}
	if file, err := os.OpenFile(filepath.Join(s.dir, "writes"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
		fmt.Fprintf(file, "%s %d %s/%s\n", r.Method, status, parts[0], name)
		file.Close()
	}
}
