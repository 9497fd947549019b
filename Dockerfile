# A tag can come to name another image. To pin both, look up their digests and write them behind the
# tags, as in `FROM docker.io/library/rust:1.95-bookworm@sha256:…`:
#   docker buildx imagetools inspect docker.io/library/rust:1.95-bookworm --format '{{.Manifest.Digest}}'
#   docker buildx imagetools inspect gcr.io/distroless/cc-debian12:nonroot --format '{{.Manifest.Digest}}'
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /hone
COPY . .
RUN cargo build --release --locked --bin hone

# glibc, certificate authorities and an unprivileged user; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /hone/target/release/hone /usr/local/bin/hone
EXPOSE 8000
ENTRYPOINT ["hone"]
CMD ["serve", "--listen", "0.0.0.0:8000"]
