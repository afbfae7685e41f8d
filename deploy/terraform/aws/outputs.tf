output "load_balancer" {
  description = "Point the name of the certificate here; robots use that name with wss://"
  value       = aws_lb.ground.dns_name
}

output "bucket" {
  description = "Bucket for recordings"
  value       = aws_s3_bucket.recordings.id
}

output "robots_policy" {
  description = "Policy that lets robots upload"
  value       = aws_iam_policy.robots.arn
}
