// Test code: stands for the Kubernetes API server; its contract is "Kubernetes API Concepts": lists in pages, watches, their versions.
// SPDX-License-Identifier: Apache-2.0
//
//	kube-api-standin DIR
//
// The pods are the files of DIR/pods, a Pod object each, read when a line "sync" comes on standard input. It serves HTTPS on a port
// of 127.0.0.1 to who has the token, and leaves DIR/port, DIR/token and DIR/ca.crt for its clients. Other lines: "expire": nobody
// may go on from a version before now (410 Gone), and watches end so; "hang", "refuse" (401), "cut" (the connection), "forbid" (403,
// to write Events), "terminate" (403, as all namespaces end), "serve": what becomes of requests from now on. It ends with its input. Events: events.go.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	token    = "token-of-the-stand-in"
	bookmark = time.Minute // about as often as the real one
)

// ---- the pods and what has become of them ----

type object = map[string]any

type pod struct {
	text    []byte // of the file
	node    string
	version int
	object  object
}

type change struct {
	version int
	kind    string
	pod     pod
}

type store struct {
	lock    sync.Mutex
	changed chan struct{} // closed at the next change
	pods    map[string]pod
	version int
	changes []change // those since `oldest`
	oldest  int
	manner  string
	dir     string
}

func member(o object, names ...string) object {
	for _, name := range names {
		next, _ := o[name].(object)
		o = next
	}
	return o
}

func parse(text []byte) (pod, string, error) {
	p := pod{text: text}
	if err := json.Unmarshal(text, &p.object); err != nil {
		return p, "", err
	}
	metadata := member(p.object, "metadata")
	if metadata == nil {
		return p, "", fmt.Errorf("no metadata")
	}
	p.node, _ = member(p.object, "spec")["nodeName"].(string)
	return p, fmt.Sprint(metadata["namespace"], "/", metadata["name"]), nil
}

func (s *store) note(kind string, p pod) pod {
	s.version++
	p.version = s.version
	// A copy, as what has been told before is not to change.
	metadata := object{}
	for name, value := range member(p.object, "metadata") {
		metadata[name] = value
	}
	metadata["resourceVersion"] = strconv.Itoa(s.version)
	told := object{}
	for name, value := range p.object {
		told[name] = value
	}
	told["metadata"] = metadata
	p.object = told
	s.changes = append(s.changes, change{s.version, kind, p})
	return p
}

func (s *store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *store) sync(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "pods", "*.json"))
	seen := map[string]bool{}
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		p, key, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		seen[key] = true
		old, known := s.pods[key]
		switch {
		case !known:
			s.pods[key] = s.note("ADDED", p)
		case !bytes.Equal(old.text, text):
			s.pods[key] = s.note("MODIFIED", p)
		}
	}
	for key, p := range s.pods {
		if !seen[key] {
			s.note("DELETED", p)
			delete(s.pods, key)
		}
	}
	s.wake()
	return err
}

func (s *store) expire() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.version++
	s.oldest, s.changes = s.version, nil
	s.wake()
}

// ---- requests ----

func failure(code int, reason, message string) object {
	return object{"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure", "reason": reason, "message": message, "code": code}
}

func expired() object { return failure(410, "Expired", "too old resource version") }

func answer(w http.ResponseWriter, code int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

func nodeOf(query url.Values) string {
	return strings.TrimPrefix(query.Get("fieldSelector"), "spec.nodeName=")
}

// A list that goes on is of the version that it began with: it ends with 410 when there is a newer one.
func (s *store) list(w http.ResponseWriter, query url.Values) {
	s.lock.Lock()
	defer s.lock.Unlock()
	begin, after := s.version, ""
	if next := query.Get("continue"); next != "" {
		if n, _ := fmt.Sscanf(next, "%d:", &begin); n != 1 || begin != s.version {
			answer(w, 410, expired())
			return
		}
		_, after, _ = strings.Cut(next, ":")
	}
	keys := []string{}
	for key, p := range s.pods {
		if key > after && p.node == nodeOf(query) {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	metadata := object{"resourceVersion": strconv.Itoa(s.version)}
	if limit, _ := strconv.Atoi(query.Get("limit")); limit > 0 && len(keys) > limit {
		metadata["remainingItemCount"] = len(keys) - limit
		keys = keys[:limit]
		metadata["continue"] = fmt.Sprintf("%d:%s", begin, keys[limit-1])
	}
	items := []object{}
	for _, key := range keys {
		items = append(items, s.pods[key].object)
	}
	answer(w, 200, object{"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items})
}

// What a watch of a node is to be told since a version, and whether it can go on.
func (s *store) since(version int, node string) (events []object, now int, more chan struct{}, gone bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if version < s.oldest {
		return nil, version, nil, true
	}
	for _, c := range s.changes {
		if c.version > version && c.pod.node == node {
			events = append(events, object{"type": c.kind, "object": c.pod.object})
		}
	}
	return events, s.version, s.changed, false
}

func bookmarkOf(version int) object {
	return object{"type": "BOOKMARK", "object": object{"kind": "Pod", "apiVersion": "v1",
		"metadata": object{"resourceVersion": strconv.Itoa(version), "creationTimestamp": nil}, "spec": object{"containers": nil}, "status": object{}}}
}

func (s *store) watch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	version, err := strconv.Atoi(query.Get("resourceVersion"))
	seconds, err2 := strconv.Atoi(query.Get("timeoutSeconds"))
	if err != nil || err2 != nil {
		answer(w, 400, failure(400, "BadRequest", "a watch of this server has a version and an end"))
		return
	}
	end := time.After(time.Duration(seconds) * time.Second)
	tick := time.NewTicker(bookmark)
	defer tick.Stop()
	w.Header().Set("Content-Type", "application/json")
	for told := json.NewEncoder(w); ; {
		events, now, more, gone := s.since(version, nodeOf(query))
		for _, event := range events {
			told.Encode(event)
		}
		if gone {
			told.Encode(object{"type": "ERROR", "object": expired()})
			return
		}
		version = now
		w.(http.Flusher).Flush()
		select {
		case <-more:
		case <-tick.C:
			told.Encode(bookmarkOf(version))
		case <-end:
			told.Encode(bookmarkOf(version))
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	manner := s.manner
	s.lock.Unlock()
	switch {
	case manner == "hang":
		<-r.Context().Done()
	case manner == "cut":
		panic(http.ErrAbortHandler)
	case manner == "refuse" || r.Header.Get("Authorization") != "Bearer "+token:
		answer(w, 401, failure(401, "Unauthorized", "Unauthorized"))
	case strings.HasPrefix(r.URL.Path, eventsPath):
		s.serveEvents(w, r, manner)
	case r.Method != "GET" || r.URL.Path != "/api/v1/pods":
		answer(w, 404, failure(404, "NotFound", "the server could not find the requested resource"))
	case r.URL.Query().Get("watch") == "true":
		s.watch(w, r)
	default:
		s.list(w, r.URL.Query())
	}
}

// ---- the server ----

// One that signs itself is its own CA.
func certificate(dir string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-api-standin"}, IsCA: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(filepath.Join(dir, "ca.crt"), text, 0o644)
}

func (s *store) obey(dir string) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "sync":
			if err := s.sync(dir); err != nil {
				return err
			}
		case "expire":
			s.expire()
		case "hang", "refuse", "cut", "forbid", "terminate", "serve":
			s.lock.Lock()
			s.manner = line
			s.lock.Unlock()
			s.expire() // what runs ends, so that the next request meets the manner
		default:
			return fmt.Errorf("unknown word: %s", line)
		}
	}
	return lines.Err()
}

func run(dir string) error {
	s := &store{changed: make(chan struct{}), pods: map[string]pod{}, version: 1000, oldest: 1000, dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "events"), 0o755); err != nil {
		return err
	}
	if err := s.sync(dir); err != nil {
		return err
	}
	cert, err := certificate(dir)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for name, text := range map[string]string{"token": token, "port": port} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	go http.Serve(l, s)
	fmt.Println("ready")
	return s.obey(dir)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kube-api-standin DIR")
		os.Exit(2)
	}
	log.SetFlags(0)
	if err := run(os.Args[1]); err != nil {
		log.Fatal("kube-api-standin: ", err)
	}
}
