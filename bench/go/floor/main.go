// A webhook that does nothing but answer: the same patch to whatever comes, with the uid found by looking for it. What
// an API server spends on calling it is what any webhook costs at least.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
)

const answer = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"%s","allowed":true%s}}`

func main() {
	port := flag.Int("port", 9443, "where to listen")
	certDir := flag.String("cert-dir", ".", "folder of tls.crt and tls.key")
	patch := flag.String("patch", "", "a JSON Patch in base64, or nothing")
	flag.Parse()
	change := ""
	if *patch != "" {
		change = fmt.Sprintf(`,"patchType":"JSONPatch","patch":"%s"`, *patch)
	}
	mark := []byte(`"request":{"uid":"`)
	http.HandleFunc("/mutate", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at := bytes.Index(body, mark)
		if err != nil || at < 0 {
			http.Error(w, "no uid", http.StatusBadRequest)
			return
		}
		uid, _, _ := bytes.Cut(body[at+len(mark):], []byte(`"`))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, answer, uid, change)
	})
	address := fmt.Sprintf("127.0.0.1:%d", *port)
	panic(http.ListenAndServeTLS(address, *certDir+"/tls.crt", *certDir+"/tls.key", nil))
}
