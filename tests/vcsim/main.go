// The second world of the tests: govmomi's vCenter simulator over TLS, with storage policies, tags and a content library that holds
// one OVF item, and a control port for what a simulator can't be asked for over its own wire: faults on purpose, sessions that end.
//
// It prints one line of JSON when it serves, and ends when its standard input closes: no test leaves it behind.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/vapi/cluster/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

// ready is what the test reads.
type ready struct {
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Control     string `json:"control"`
	Certificate string `json:"certificate"`
	Item        string `json:"item"`
}

func main() {
	log.SetFlags(0)
	hosts := flag.Int("hosts", 2, "hosts of the one cluster")
	vms := flag.Int("vms", 1, "VMs that are there already")
	flag.Parse()
	if err := run(*hosts, *vms); err != nil {
		log.Fatal(err)
	}
}

func run(hosts, vms int) error {
	folder, err := os.MkdirTemp("", "vmtwin-vcsim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// The simulator's own files (datastores, the library) go below it too.
	if err := os.Setenv("TMPDIR", folder); err != nil {
		return err
	}
	model := simulator.VPX()
	model.Host, model.Machine, model.Datastore, model.Cluster = 0, vms, 2, 1
	model.ClusterHost = hosts
	if err := model.Create(); err != nil {
		return err
	}
	defer model.Remove()
	certificate := filepath.Join(folder, "ca.pem")
	if model.Service.TLS, err = serverTLS(certificate); err != nil {
		return err
	}
	model.Service.RegisterEndpoints = true
	server := model.Service.NewServer()
	defer server.Close()
	item, err := fillLibrary(server.URL)
	if err != nil {
		return fmt.Errorf("the content library: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { log.Print(http.Serve(listener, control(model.Service))) }()
	user := server.URL.User.Username()
	password, _ := server.URL.User.Password()
	address := "https://" + server.URL.Host
	line := ready{address, user, password, "http://" + listener.Addr().String(), certificate, item}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// rule is a fault rule as the control port takes it.
type rule struct {
	// Method and Fault are the API's names: PowerOnVM_Task, InvalidState.
	Method, Fault, Message string
	// Times and Skip count calls; no Times is all of them.
	Times, Skip int
}

// control serves the control port.
func control(service *simulator.Service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var asked rule
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fault, err := faultNamed(asked.Fault)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		service.AddFaultRule(&simulator.FaultInjectionRule{
			MethodName: asked.Method, ObjectType: "*", ObjectName: "*", Probability: 1, Enabled: true,
			FaultType: simulator.FaultTypeCustom, Fault: fault, Message: asked.Message,
			MaxCount: asked.Times, SkipCount: asked.Skip,
		})
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		service.ClearFaultRules()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// faultNamed makes a fault of the API's name.
func faultNamed(name string) (types.BaseMethodFault, error) {
	// Go spells the types whose name a method has differently on the wire.
	for _, spelling := range []string{name, name + "Fault"} {
		if kind, ok := types.TypeFunc()(spelling); ok {
			if fault, ok := newOf(kind).(types.BaseMethodFault); ok {
				return fault, nil
			}
		}
	}
	return nil, fmt.Errorf("no fault is named %q", name)
}
