// The same webhook as most people would write it: in Go, on controller-runtime. It finds a port by its name, adds the
// same annotations, logs one line a review, and lets the library decode, diff and answer. Autoscrape is measured
// against it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

var names = map[string]bool{"metrics": true, "http-metrics": true, "prometheus": true, "monitoring": true}

type annotator struct {
	decoder admission.Decoder
	log     *slog.Logger
}

// Handle adds the annotations for the first port that is called as metrics ports are.
func (a *annotator) Handle(_ context.Context, request admission.Request) admission.Response {
	start := time.Now()
	pod := &corev1.Pod{}
	if err := a.decoder.Decode(request, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	outcome := "skip"
	if port := metricsPort(pod); port != 0 && pod.Annotations["prometheus.io/scrape"] == "" {
		outcome = "annotate"
		if err := annotate(pod, port); err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
	}
	mutated, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	a.log.Info("review", "namespace", request.Namespace, "generateName", pod.GenerateName, "uid", request.UID,
		"outcome", outcome, "milliseconds", time.Since(start).Seconds()*1000)
	return admission.PatchResponseFromRaw(request.Object.Raw, mutated)
}

func metricsPort(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if names[port.Name] {
				return port.ContainerPort
			}
		}
	}
	return 0
}

func annotate(pod *corev1.Pod, port int32) error {
	added := map[string]string{
		"prometheus.io/scrape": "true",
		"prometheus.io/port":   fmt.Sprint(port),
		"prometheus.io/path":   "/metrics",
	}
	marker, err := json.Marshal(map[string]any{"rule": "metrics-port", "added": added})
	if err != nil {
		return err
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	for key, value := range added {
		pod.Annotations[key] = value
	}
	pod.Annotations["autoscrape.io/injected"] = string(marker)
	return nil
}

func main() {
	port := flag.Int("port", 9443, "where to listen")
	certDir := flag.String("cert-dir", ".", "folder of tls.crt and tls.key")
	flag.Parse()
	log.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		panic(err)
	}
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: *port, CertDir: *certDir})
	server.Register("/mutate", &admission.Webhook{Handler: &annotator{
		decoder: admission.NewDecoder(scheme),
		log:     slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := server.Start(ctx); err != nil {
		panic(err)
	}
}
