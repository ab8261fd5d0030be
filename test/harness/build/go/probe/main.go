// Command probe is what runs in the pods of the cluster tests: a web server
// that says who it is, and a client that asks one.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const usage = "usage: probe serve ADDRESS | probe get URL"

func main() {
	if len(os.Args) != 3 {
		fail(usage)
	}
	switch os.Args[1] {
	case "serve":
		fail(serve(os.Args[2]))
	case "get":
		if err := get(os.Args[2]); err != nil {
			fail(err)
		}
	default:
		fail(usage)
	}
}

// serve answers every request with the host's name, which in a pod is the pod's.
func serve(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return http.ListenAndServe(address, http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(response, name)
	}))
}

// get prints what the URL answers.
func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func fail(reason any) {
	fmt.Fprintln(os.Stderr, "probe:", reason)
	os.Exit(1)
}
