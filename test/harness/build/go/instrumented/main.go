// A server instrumented with Prometheus' own client library, as most Go programs are: `instrumented SERIES LENGTH` serves so many
// series, each with a label of so many characters, at :8080/metrics. Each request is logged, and so is each error of the library, with
// the client whose request failed, and of the server.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func number(argument string) int {
	value, err := strconv.Atoi(argument)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	log.SetFlags(0)
	series, length := number(os.Args[1]), number(os.Args[2])
	orders := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orders", Help: "Orders by number."}, []string{"number"})
	for i := range series {
		orders.WithLabelValues(fmt.Sprintf("%0*d", length, i)).Set(float64(i))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(orders, collectors.NewGoCollector())
	errors := log.New(os.Stdout, "error: ", 0)
	http.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("asked %s %s\n", r.URL.Path, r.UserAgent())
		// A handler for each request, because the library does not say in its log whose request an error is about.
		theirs := log.New(os.Stdout, "error for "+r.UserAgent()+": ", 0)
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: theirs, EnableOpenMetrics: true}).ServeHTTP(w, r)
	})
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: ":8080", ErrorLog: errors}
	log.Fatal(server.ListenAndServe())
}
