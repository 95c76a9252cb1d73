// One call of the Container Runtime Interface, as the kubelet makes them:
//
//   cri-client SOCKET DESCRIPTORS METHOD <request.json >response.json
//
// DESCRIPTORS is cri.proto as `protoc --descriptor_set_out` writes it; fields have the names they have there.
// Exit status 1 and the server's sentence on stderr when the call fails.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace pb = google::protobuf;

constexpr std::chrono::seconds kDeadline{60};

grpc::ByteBuffer to_buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string to_bytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices)
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

grpc::Status call(const std::string& socket, const std::string& path, const std::string& request,
                  std::string* response) {
  grpc::GenericStub stub(grpc::CreateChannel("unix://" + socket, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_authority("localhost");
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  grpc::CompletionQueue queue;
  const auto reader = stub.PrepareUnaryCall(&context, path, to_buffer(request), &queue);
  reader->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  reader->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (status.ok()) *response = to_bytes(answer);
  return status;
}

int fail(const std::string& what) {
  std::cerr << "cri-client: " << what << "\n";
  return 1;
}

const pb::MethodDescriptor* find_method(const std::string& file, const std::string& name,
                                        pb::DescriptorPool& pool) {
  std::ifstream stream(file, std::ios::binary);
  pb::FileDescriptorSet set;
  if (!set.ParseFromIstream(&stream) || set.file_size() != 1) return nullptr;
  const pb::FileDescriptor* built = pool.BuildFile(set.file(0));
  const pb::MethodDescriptor* method = nullptr;
  for (int i = 0; built != nullptr && method == nullptr && i < built->service_count(); ++i) {
    method = built->service(i)->FindMethodByName(name);
  }
  return method;
}

int run(const std::string& socket, const std::string& descriptors, const std::string& name) {
  pb::DescriptorPool pool;
  const pb::MethodDescriptor* method = find_method(descriptors, name, pool);
  if (method == nullptr) return fail("no method '" + name + "' in " + descriptors);

  pb::DynamicMessageFactory messages;
  const std::unique_ptr<pb::Message> request(messages.GetPrototype(method->input_type())->New());
  const std::string json{std::istreambuf_iterator<char>(std::cin), {}};
  const auto read = pb::util::JsonStringToMessage(json, request.get());
  if (!read.ok()) return fail("request: " + read.ToString());

  std::string bytes;
  const std::string path = "/" + method->service()->full_name() + "/" + method->name();
  const grpc::Status status = call(socket, path, request->SerializeAsString(), &bytes);
  if (!status.ok()) return fail(name + ": " + status.error_message());

  const std::unique_ptr<pb::Message> response(messages.GetPrototype(method->output_type())->New());
  std::string text;
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const bool is_whole =
      response->ParseFromString(bytes) && pb::util::MessageToJsonString(*response, &text, options).ok();
  if (!is_whole) return fail(name + ": the answer is no " + method->output_type()->name());
  std::cout << text << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return fail("SOCKET DESCRIPTORS METHOD <request.json");
  return run(argv[1], argv[2], argv[3]);
}
