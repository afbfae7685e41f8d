output "url" {
  description = "Pages and API; robots use the same address with wss://"
  value       = google_cloud_run_v2_service.ground.uri
}

output "bucket" {
  description = "Bucket for recordings"
  value       = google_storage_bucket.recordings.name
}

output "robots_service_account" {
  description = "Account that may upload"
  value       = google_service_account.robots.email
}
