package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vapi/rest"
)

// descriptor describes a VM without a disk and without a network: all that the deploy of an item needs.
const descriptor = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
          xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
          xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References/>
  <VirtualSystem ovf:id="small">
    <Info>A small virtual machine</Info>
    <Name>small</Name>
    <OperatingSystemSection ovf:id="36"><Info>The guest</Info></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>small</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
      <Item>
        <rasd:ElementName>1 virtual CPU</rasd:ElementName>
        <rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>1</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:ElementName>64 MB of memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>64</rasd:VirtualQuantity>
      </Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`

// fillLibrary makes a library with one OVF item, and gives the item's id.
func fillLibrary(address *url.URL) (string, error) {
	ctx := context.Background()
	client, err := govmomi.NewClient(ctx, address, true)
	if err != nil {
		return "", err
	}
	defer client.Logout(ctx)
	session := rest.NewClient(client.Client)
	if err := session.Login(ctx, address.User); err != nil {
		return "", err
	}
	defer session.Logout(ctx)
	datastores, err := find.NewFinder(client.Client).DatastoreList(ctx, "/*/datastore/*")
	if err != nil {
		return "", err
	}
	manager := library.NewManager(session)
	id, err := manager.CreateLibrary(ctx, library.Library{
		Name: "images", Type: "LOCAL",
		Storage: []library.StorageBacking{{DatastoreID: datastores[0].Reference().Value, Type: "DATASTORE"}},
	})
	if err != nil {
		return "", err
	}
	item, err := manager.CreateLibraryItem(ctx, library.Item{Name: "small", Type: library.ItemTypeOVF, LibraryID: id})
	if err != nil {
		return "", err
	}
	update, err := manager.CreateLibraryItemUpdateSession(ctx, library.Session{LibraryItemID: item})
	if err != nil {
		return "", err
	}
	file, err := manager.AddLibraryItemFile(ctx, update, library.UpdateFile{
		Name: "small.ovf", SourceType: "PUSH", Size: int64(len(descriptor)),
	})
	if err != nil {
		return "", err
	}
	if err := upload(ctx, session, file.UploadEndpoint.URI); err != nil {
		return "", err
	}
	return item, manager.CompleteLibraryItemUpdateSession(ctx, update)
}

func upload(ctx context.Context, session *rest.Client, uri string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, uri, bytes.NewReader([]byte(descriptor)))
	if err != nil {
		return err
	}
	return session.Do(ctx, request, nil)
}
